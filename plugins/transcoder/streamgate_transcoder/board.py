"""How fast media are encoded now, wherever: added up from what all transcoders tell of their jobs. Nothing is kept."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

import attrs

from streamgate.contracts.transcode import Step
from streamgate.sdk.clock import Clock

from .progress import Rate

SILENT_S = 5.0
"""A job that nothing is heard of for so long is not at work any more."""
_CONTENTS = 256


@attrs.define(eq=False)
class _Content:
    steps: dict[str, tuple[Step, float]] = attrs.field(factory=dict)  # by job, with when it was heard
    made: Counter[str] = attrs.field(factory=Counter)  # frames by rendition, through attempts: it never falls
    rates: dict[str, Rate] = attrs.field(factory=dict)


class Board:
    """The newest 256 contents that were heard of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._contents: OrderedDict[str, _Content] = OrderedDict()
        self._paused: OrderedDict[str, None] = OrderedDict()  # root ids

    def hear_paused(self, root_ids: Sequence[str], *, is_paused: bool) -> None:
        for root_id in root_ids:
            self._paused.pop(root_id, None)
            if is_paused:
                self._paused[root_id] = None
        while len(self._paused) > _CONTENTS:
            self._paused.popitem(last=False)

    def is_paused(self, root_id: str) -> bool:
        """As far as was heard here."""
        return root_id in self._paused

    def hear(self, step: Step) -> None:
        """What a job had made before it was heard of first counts as made then, not as fast."""
        now_s = self._clock.monotonic_s()
        content = self._contents.setdefault(step.content_id, _Content())
        self._contents.move_to_end(step.content_id)
        while len(self._contents) > _CONTENTS:
            self._contents.popitem(last=False)
        before = content.steps.get(step.job_id)
        for rendition_id, frames in step.frames.items():
            rate = content.rates.setdefault(rendition_id, Rate())
            if before is not None:
                known = before[0].frames.get(rendition_id, 0)
                content.made[rendition_id] += frames - known if frames >= known else frames
            rate.note(now_s, content.made[rendition_id])
        content.steps[step.job_id] = (step, now_s)
        self._forget_silent(content, now_s)

    def rates(self, content_id: str) -> dict[str, float]:
        """Frames a second by rendition, of those that are encoded now."""
        content = self._at_work(content_id)
        if content is None:
            return {}
        busy = {rendition_id for step, _ in content.steps.values() for rendition_id in step.frames}
        found = {each: content.rates[each].per_s() for each in busy}
        return {each: rate for each, rate in found.items() if rate}

    def ahead(self, content_id: str) -> Counter[str]:
        """Frames by rendition that are made, or in an encoder, and not handed in yet."""
        content, found = self._at_work(content_id), Counter[str]()
        for step, _ in () if content is None else content.steps.values():
            for rendition_id, frames in step.frames.items():
                found[rendition_id] += max(0, frames - step.kept.get(rendition_id, 0))
        return found

    def speaker(self, content_id: str) -> str:
        """The job whose transcoder tells the owner: the same one wherever this is asked. "" where none is at work."""
        content = self._at_work(content_id)
        return "" if content is None else min(content.steps, default="")

    def _at_work(self, content_id: str) -> _Content | None:
        content = self._contents.get(content_id)
        if content is not None:
            self._forget_silent(content, self._clock.monotonic_s())
        return content

    @staticmethod
    def _forget_silent(content: _Content, now_s: float) -> None:
        for job_id in [each for each, (_, heard_s) in content.steps.items() if now_s - heard_s > SILENT_S]:
            del content.steps[job_id]
