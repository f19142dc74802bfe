"""How far the making of a media version is, and how fast: from what its jobs report. No clock, no media, no store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import attrs

from streamgate.contracts.media import AAC_FRAME_SAMPLES, MediaPlan, PlannedRendition
from streamgate.contracts.transcode import Step

SOUND_PX = 40_000
"""Sound takes about as long to make as a picture of so many pixels."""
WINDOW_S = 10.0
"""A rate is that of so long: what an encoder did before says little about the scene it is at."""
SPACING_S = 0.2


Watch = Callable[[Step], None]


def nobody(step: Step) -> None:
    """Watches nothing."""


@attrs.frozen(kw_only=True)
class Pace:
    """`fps`: frames made a second; `speed`: seconds of media a second; `eta_s`: until the last frame at that rate. None
    until known."""

    frames: int
    frames_planned: int
    fps: float | None = None
    speed: float | None = None
    eta_s: float | None = None

    @property
    def is_whole(self) -> bool:
        return self.frames >= self.frames_planned


def pace(frames: int, planned: int, duration_s: float, fps: float | None, ahead: int = 0) -> Pace:
    """Never more frames than planned: where damage was mended, or a child says what cannot be, there may be. `ahead`:
    frames beyond those that shorten the time that is left."""
    frames = min(frames, planned)
    if not fps or not planned:
        return Pace(frames=frames, frames_planned=planned, eta_s=0.0 if planned and frames == planned else None)
    return Pace(
        frames=frames,
        frames_planned=planned,
        fps=round(fps, 1),
        speed=round(fps * duration_s / planned, 2),
        eta_s=round(max(0, planned - frames - ahead) / fps, 1),
    )


def slowest(paces: Sequence[Pace]) -> Pace:
    """Of several renditions of one picture: as far as all of them are, done when the last one is."""
    least = min(paces, key=lambda each: each.frames / max(1, each.frames_planned))
    etas = [each.eta_s for each in paces]
    known = [eta_s for eta_s in etas if eta_s is not None]
    return attrs.evolve(least, eta_s=max(known) if len(known) == len(etas) else None)


def frames_of(plan: MediaPlan, rendition: PlannedRendition) -> int:
    """How many frames it will have."""
    if rendition.kind == "video":
        return plan.frames
    grid = plan.grid_of(rendition)
    return (grid[-1] - grid[0]) // AAC_FRAME_SAMPLES if grid else 0


def share_of(work: Iterable[tuple[int, int, float]]) -> float:
    """How much is made of renditions that are (width, height, share made); each counts by the size of its picture."""
    sized = [(max(width_px * height_px, SOUND_PX), share) for width_px, height_px, share in work]
    whole = sum(size for size, _ in sized)
    return round(sum(size * share for size, share in sized) / whole, 4) if whole else 0.0


class Rate:
    """Of a count that is looked at now and then. One that falls (an attempt was lost) begins anew."""

    def __init__(self) -> None:
        self._points: deque[tuple[float, int]] = deque()

    def note(self, now_s: float, count: int) -> None:
        points = self._points
        if points and count < points[-1][1]:
            points.clear()
        if points and now_s - points[-1][0] < SPACING_S:
            now_s = points.pop()[0]
        points.append((now_s, count))
        while len(points) > 2 and points[1][0] <= now_s - WINDOW_S:
            points.popleft()

    def per_s(self) -> float | None:
        """None while nothing is known, and where nothing moves."""
        if len(self._points) < 2:
            return None
        (began_s, first), (ended_s, last) = self._points[0], self._points[-1]
        return (last - first) / (ended_s - began_s) or None


class Tracker:
    """Adds up the jobs of one media version that are run in this process, from its beginning."""

    def __init__(self, plan: MediaPlan) -> None:
        self.plan = plan
        self._of_jobs: dict[str, Step] = {}
        self._rates = {rendition.id: Rate() for rendition in plan.renditions}

    def note(self, step: Step) -> None:
        self._of_jobs[step.job_id] = step

    def forget(self, job_id: str) -> None:
        """An attempt that was lost."""
        self._of_jobs.pop(job_id, None)

    def paces(self, now_s: float) -> dict[str, Pace]:
        """Of each rendition, in the plan's order."""
        duration_s = self.plan.duration_ticks / self.plan.timescale
        found = {}
        for rendition in self.plan.renditions:
            frames = sum(step.frames.get(rendition.id, 0) for step in self._of_jobs.values())
            rate = self._rates[rendition.id]
            rate.note(now_s, frames)
            found[rendition.id] = pace(frames, frames_of(self.plan, rendition), duration_s, rate.per_s())
        return found

    def whole(self, paces: Mapping[str, Pace]) -> Pace:
        """Of the picture, where there is one; the time left is that of everything."""
        videos = [paces[each.id] for each in self.plan.renditions if each.kind == "video"]
        return attrs.evolve(slowest(videos or list(paces.values())), eta_s=slowest(list(paces.values())).eta_s)

    def share(self, paces: Mapping[str, Pace]) -> float:
        return share_of(
            (each.width_px, each.height_px, paces[each.id].frames / max(1, paces[each.id].frames_planned))
            for each in self.plan.renditions
        )
