"""What a child is told to do: values that the parent and its children share, without libav."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.media import MediaPlan, ProbePayload
from streamgate.contracts.profiles import Profile

from .limits import MediaLimits

POSTER, MOVING = "poster", "moving"
"""What pictures are sent as; those of a storyboard by their number."""


@attrs.frozen(kw_only=True)
class SandboxLimits:
    """Bounds of one child, over all its tasks. `may_start_threads`: after the sandbox has closed; SVT-AV1 alone cannot
    do without."""

    memory_bytes: int = 4 << 30  # address space
    cpu_s: int = 3600
    niceness: int = 10
    may_start_threads: bool = False

    def within(self, cpu_s: float) -> SandboxLimits:
        """The same, with no more processor time than that (whole seconds, at least one)."""
        return attrs.evolve(self, cpu_s=max(1, min(self.cpu_s, int(cpu_s))))


@attrs.frozen(kw_only=True)
class ProbeTask:
    """A ProbePayload with the profile that it names: a child knows no plugins."""

    wanted: ProbePayload
    profile: Profile


@attrs.frozen(kw_only=True)
class ChunkTask:
    """A ChunkPayload with its plan: a child reaches no blob store. `lanes`: threads that encode beside the one that
    decodes (`media.lanes`)."""

    plan: MediaPlan
    chunk_n: int
    lanes: int = 0


@attrs.frozen(kw_only=True)
class AudioTask:
    """An AudioPayload with its plan."""

    plan: MediaPlan
    rendition_id: str


@attrs.frozen(kw_only=True)
class CopyTask:
    """Segments to cut of copied renditions: a CopyPayload, or a service call's CutQuery, with the plan."""

    plan: MediaPlan
    rendition_ids: tuple[str, ...]
    seg_from: int
    seg_to: int


@attrs.frozen(kw_only=True)
class PicturesTask:
    """A PicturesPayload with its plan."""

    plan: MediaPlan


@attrs.frozen(kw_only=True)
class CaptionsTask:
    """A CaptionsPayload with its plan."""

    plan: MediaPlan


@attrs.frozen(kw_only=True)
class ChildTask:
    """One piece of work. `source_by`: a 'descriptor' follows the frame, ranges are asked for ('reads'), or it is the
    descriptor that the child has of its task before ('same'). `threads`: started before the sandbox closes, for this
    task and those after it. `trace_id`: of the call it belongs to, for what the child writes to its standard error."""

    task: str  # a job kind of contracts.media
    payload: dict[str, Any]  # JSON of a PosterPayload or one of the tasks above
    source_by: str
    source_size_bytes: int
    limits: MediaLimits
    sandbox: SandboxLimits
    trace_id: str = ""
    threads: int = 0
