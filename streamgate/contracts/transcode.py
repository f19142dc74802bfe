"""What a transcode looks like to those who ask for one, over HTTP today and gRPC later.

There is no transcoder *service*: a process with a transcoder leases jobs from the worker. Submitting goes to
streaming (`Streaming.transcode`), progress is composed of the worker's task and streaming's renditions,
cancelling goes to the worker. A `task_id` is the root job's id.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from streamgate.contracts.jobs import JobState
from streamgate.contracts.streaming import RenditionState
from streamgate.events import Topic


@attrs.frozen(kw_only=True)
class RenditionProgress(RenditionState):
    """`fps`: frames encoded a second; `speed`: seconds of it a second; `eta_s`: until the last frame at that rate. They
    are those of the last ten seconds, and None where nothing is encoded."""

    fps: float | None = None
    speed: float | None = None
    eta_s: float | None = None


@attrs.frozen(kw_only=True)
class TranscodeStatus:
    """`progress` 0 to 1: the share of what is planned that is made and kept. It never falls, whatever happens to an
    attempt; what is cancelled or fails stays where it was, and a new transcode (another `task_id`) begins at 0.
    `frames` of `frames_planned`: of the rendition that is furthest behind. `fps`: as of a rendition. `speed` in seconds
    of source per second of work (now, while it is encoded, else since it began), and `eta_s`, are None until known."""

    task_id: str
    content_id: str
    status: JobState
    progress: float
    stage: str
    renditions: tuple[RenditionProgress, ...]
    frames: int = 0
    frames_planned: int = 0
    fps: float | None = None
    speed: float | None
    eta_s: float | None
    error: str
    attempts: int


@attrs.frozen(kw_only=True)
class Step:
    """How far one attempt at one job is. `frames`: for each rendition it makes, those that were made, or given to its
    encoder (of sound: AAC frames of 1,024 samples); `kept`: those among them that were handed in."""

    job_id: str
    content_id: str
    owner: str
    frames: Mapping[str, int]
    kept: Mapping[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Steps:
    steps: tuple[Step, ...]


TRANSCODE_STEPS = Topic("transcode.steps", Steps)
"""Told by each transcoder about once a second while it encodes, to those that answer how fast it goes."""
