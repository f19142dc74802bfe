"""What a transcoder tells us, held against what must be true before it counts. Pure; faults are sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from streamgate.contracts.captions import UNKNOWN_LANGUAGE
from streamgate.contracts.languages import bcp47
from streamgate.contracts.media import MadePart, MediaPlan, MediaSource, PlannedRendition

from .plans import copies_prefix

RENDITION_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_CODEC = re.compile(r"[A-Za-z0-9.]{1,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_RENDITIONS = 32
_LONGEST_TITLE = 60


class PlanRefused(Exception):
    """The plan cannot be played by anybody; the message says why."""


class PartRefused(Exception):
    """A part of a rendition is not what the plan says; the message says where."""


def grid_of(plan: MediaPlan, rendition: PlannedRendition) -> tuple[int, ...]:
    """Segment edges in the rendition's own time scale."""
    return plan.grid_of(rendition)


def timescale_of(plan: MediaPlan, rendition: PlannedRendition) -> int:
    """Ticks a second: the plan's for pictures, the sample rate for sound."""
    return plan.timescale_of(rendition)


def planned(plan: MediaPlan, rendition_id: str) -> PlannedRendition | None:
    return next((rendition for rendition in plan.renditions if rendition.id == rendition_id), None)


def base_of(plan: MediaPlan) -> PlannedRendition:
    """The rendition without which nothing plays; `check_plan` has seen that there is one."""
    return next(rendition for rendition in plan.renditions if rendition.base)


def main_sound_of(plan: MediaPlan) -> PlannedRendition | None:
    """What is heard first."""
    return next((rendition for rendition in plan.renditions if rendition.kind == "audio"), None)


def check_plan(plan: MediaPlan, *, content_id: str, media_version: int, source: MediaSource) -> None:
    """Raises PlanRefused with the first fault."""
    for fault in _plan_faults(plan, content_id, media_version, source):
        raise PlanRefused(fault)


def check_part(plan: MediaPlan, part: MadePart, *, init_sha256: str) -> None:
    """A part's segments lie on the grid, and its init is the one the rendition has already ("" is none yet).

    Raises:
        PartRefused: with the first fault.
    """
    for fault in _part_faults(plan, part, init_sha256):
        raise PartRefused(f"{part.rendition_id}: {fault}")


def _plan_faults(plan: MediaPlan, content_id: str, media_version: int, source: MediaSource) -> Iterator[str]:
    if plan.plan != 1:
        yield f"plan version {plan.plan} is not known here"
    if (plan.content_id, plan.media_version, plan.source) != (content_id, media_version, source):
        yield "it is a plan for something else"
    for found in plan.captions:
        if found.language not in (UNKNOWN_LANGUAGE, bcp47(found.language)) or not _is_plain(found.title):
            yield f"captions {found.index}: their language or title cannot stand in a playlist"
    ids = [rendition.id for rendition in plan.renditions]
    if not ids or len(ids) > _MAX_RENDITIONS or len(set(ids)) != len(ids):
        yield f"{len(ids)} renditions, some alike or none, or more than {_MAX_RENDITIONS}"
    for rendition in plan.renditions:
        yield from _rendition_faults(plan, rendition)
    videos = [rendition for rendition in plan.renditions if rendition.kind == "video"]
    bases = [rendition for rendition in plan.renditions if rendition.base]
    if len(bases) != 1 or bases[0].policy != "eager" or (videos and bases[0].kind != "video"):
        yield "there must be one base rendition, eager, and a video one where there is video"
    if plan.base_first and any((base.kind, base.mode) != ("video", "encode") for base in bases):
        yield "nothing but a picture that is encoded can come before the others"
    copied = [rendition for rendition in plan.renditions if rendition.mode == "copy"]
    if plan.copies_prefix != (copies_prefix(content_id, media_version) if copied else ""):
        yield "it copies to another place"
    edge_counts = {len(plan.grid_of(each)) for each in plan.renditions if each.kind == "audio"}
    if copied and (not bases or bases[0] not in copied or edge_counts - {len(plan.video_grid)}):
        yield "what is copied has another base, or sound that is cut elsewhere"
    if any(rendition.mode == "encode" for rendition in videos):
        edges = [chunk.seg_from for chunk in plan.chunks] + [len(plan.video_grid) - 1]
        spans = [(chunk.n, chunk.seg_from, chunk.seg_to) for chunk in plan.chunks]
        if edges[0] != 0 or spans != [(n, a, b) for n, (a, b) in enumerate(pairwise(edges))]:
            yield "the chunks do not cover the grid"


def _rendition_faults(plan: MediaPlan, rendition: PlannedRendition) -> Iterator[str]:
    if not RENDITION_ID.fullmatch(rendition.id):
        yield f"rendition id {rendition.id!r} cannot stand in a URL"
    if not _CODEC.fullmatch(rendition.codec):
        yield f"{rendition.id}: codec {rendition.codec!r} cannot stand in CODECS"
    if rendition.language != bcp47(rendition.language) or not _is_plain(rendition.title):
        yield f"{rendition.id}: its language or title cannot stand in a playlist"
    if rendition.kind == "video" and (rendition.width_px < 2 or rendition.height_px < 2 or rendition.fps_den < 1):
        yield f"{rendition.id}: no picture has this size or rate"
    if rendition.policy == "lazy" and (rendition.kind, rendition.mode) != ("video", "encode"):
        yield f"{rendition.id}: only pictures that are encoded can be made when somebody asks"
    timescale, grid = timescale_of(plan, rendition), grid_of(plan, rendition)
    if timescale < 1:
        yield f"{rendition.id}: time scale {timescale}"
    elif not _rises_from_zero(grid):
        yield f"{rendition.id}: its grid does not rise from 0"
    elif rendition.mode == "copy" and (
        len(rendition.segment_bytes) != len(grid) - 1 or min(rendition.segment_bytes, default=0) < 1
    ):
        yield f"{rendition.id}: it does not say how large its segments are"
    elif max(round(Fraction(b - a, timescale)) for a, b in pairwise(grid)) > plan.target_duration_s:
        yield f"{rendition.id}: a segment is longer than the target duration of {plan.target_duration_s} s"


def _is_plain(title: str) -> bool:
    return len(title) <= _LONGEST_TITLE and title.isprintable() and '"' not in title


def _rises_from_zero(grid: Sequence[int]) -> bool:
    return len(grid) > 1 and grid[0] == 0 and all(a < b for a, b in pairwise(grid))


def _part_faults(plan: MediaPlan, part: MadePart, init_sha256: str) -> Iterator[str]:
    rendition = planned(plan, part.rendition_id)
    if rendition is None:
        yield "no such rendition was planned"
        return
    if not part.init_key or part.init_size_bytes < 1 or not _SHA256.fullmatch(part.init_sha256):
        yield "its init segment is not described"
    if init_sha256 and part.init_sha256 != init_sha256:
        yield "its init segment differs from that of the segments made before"
    grid = grid_of(plan, rendition)
    numbers = [segment.n for segment in part.segments]
    if len(set(numbers)) != len(numbers):
        yield "a segment is there twice"
    for segment in part.segments:
        if not 0 <= segment.n < len(grid) - 1:
            yield f"segment {segment.n} is not on the grid of {len(grid) - 1}"
        elif segment.decode_time_ticks != grid[segment.n]:
            yield f"segment {segment.n} begins at {segment.decode_time_ticks}, planned was {grid[segment.n]}"
        elif segment.duration_ticks != grid[segment.n + 1] - grid[segment.n]:
            planned_ticks = grid[segment.n + 1] - grid[segment.n]
            yield f"segment {segment.n} lasts {segment.duration_ticks}, planned was {planned_ticks}"
        if not 0 <= segment.first_frame_bytes <= segment.size_bytes:
            yield f"segment {segment.n} ends before its first frame does"
        if not segment.key or segment.size_bytes < 1 or not _SHA256.fullmatch(segment.sha256):
            yield f"segment {segment.n} is not described"
