"""Which rungs of a plan are made in advance. Pure; what they are made of does not depend on it."""

from __future__ import annotations

from bisect import bisect_right

import attrs

from streamgate.contracts.media import ASKED_SEGMENTS, MediaPlan, PlannedChunk
from streamgate.contracts.profiles import Policy

from .faults import NotInPlan

_LAZY_CODEC = "avc1."
"""Others take longer to make than anybody waits."""


def with_policy(plan: MediaPlan, policy: Policy) -> MediaPlan:
    """The same plan, with all H.264 rungs above the lowest left for later where the policy is `lazy`."""
    if policy == "eager":
        return plan
    rungs = [
        each
        for each in plan.renditions
        if (each.kind, each.mode) == ("video", "encode") and each.codec.startswith(_LAZY_CODEC)
    ]
    lowest = min(rungs, key=lambda rung: rung.width_px * rung.height_px, default=None)
    later = {rung.id for rung in rungs if rung is not lowest and not rung.base}
    return attrs.evolve(
        plan,
        renditions=tuple(attrs.evolve(each, policy="lazy") if each.id in later else each for each in plan.renditions),
    )


def of_renditions(plan: MediaPlan, rendition_ids: tuple[str, ...]) -> MediaPlan:
    """The plan with these encoded pictures alone; without any: with those that are eager. Children make all that their
    plan has.

    Raises:
        NotInPlan: one of them is none.
    """
    encoded = {each.id: each for each in plan.renditions if (each.kind, each.mode) == ("video", "encode")}
    wanted = rendition_ids or tuple(each.id for each in encoded.values() if each.policy == "eager")
    unknown = set(wanted) - encoded.keys()
    if unknown or not wanted:
        raise NotInPlan(f"the plan has no pictures to encode by the name of {', '.join(sorted(unknown)) or 'any'}")
    return attrs.evolve(plan, renditions=tuple(encoded[each] for each in dict.fromkeys(wanted)))


def in_stretches(plan: MediaPlan, rendition_id: str, stretch_n: int) -> MediaPlan:
    """The plan with one encoded picture alone, whose chunks are the stretches that somebody may ask for: all of them,
    for what each may spend follows from that.

    Raises:
        NotInPlan: there is no such picture, or stretch.
    """
    part = of_renditions(plan, (rendition_id,))
    segments = len(plan.video_grid) - 1
    is_copied = any(each.mode == "copy" and each.kind == "video" for each in plan.renditions)
    chunks = []
    for n, seg_from in enumerate(range(0, segments, ASKED_SEGMENTS)):
        # Of a source that is cut at its own key frames decoding can begin at each time of the grid.
        begins = plan.video_grid[seg_from] if is_copied else _decodes_from(plan, seg_from)
        seg_to = min(seg_from + ASKED_SEGMENTS, segments)
        chunks.append(PlannedChunk(n=n, seg_from=seg_from, seg_to=seg_to, decode_from_ticks=begins))
    if not 0 <= stretch_n < len(chunks):
        raise NotInPlan(f"the plan has no stretch {stretch_n}")
    return attrs.evolve(part, chunks=tuple(chunks))


def _decodes_from(plan: MediaPlan, n: int) -> int:
    starts = [chunk.seg_from for chunk in plan.chunks]
    return plan.chunks[bisect_right(starts, n) - 1].decode_from_ticks
