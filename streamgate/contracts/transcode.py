"""What a transcode looks like to those who ask for one, over HTTP today and gRPC later, and what is asked of a
transcoder outside the queue.

A process with a transcoder leases jobs from the worker. Submitting goes to streaming (`Streaming.transcode`), progress
is composed of the worker's task and streaming's renditions, cancelling goes to the worker. A `task_id` is the root
job's id. Only what somebody waits for before a picture is a call: cutting a copied rendition takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

from streamgate.contracts.jobs import JobState
from streamgate.contracts.media import MadeResult
from streamgate.contracts.streaming import RenditionState
from streamgate.errors import Unavailable
from streamgate.events import Topic
from streamgate.services import ServiceRef, method


class TranscoderBusy(Unavailable):
    code, title = "transcode.busy", "Too many wait for this already"


class TaskNotQueued(Unavailable):
    """It was asked for a moment ago, and worker has yet to hear of it."""

    code, title = "transcode.not_queued_yet", "The task is on its way to the queue"


@attrs.frozen(kw_only=True)
class CutQuery:
    """Segments seg_from … seg_to - 1 of every copied rendition; at most 8. `plan_key`: the plan's blob."""

    content_id: str
    media_version: int
    plan_key: str
    seg_from: int
    seg_to: int


class Transcoder(Protocol):
    @method(timeout_s=8, idempotent=True)
    async def cut(self, query: CutQuery) -> MadeResult:
        """Cuts the source itself, now: the same segments under the same keys however often it is asked, and whether or
        not the job that cuts all of it has come as far.

        Raises:
            MediaError: the source is not as the plan has it, or the process that cut it failed.
            TranscoderBusy: too many others wait.
        """


TRANSCODER = ServiceRef("transcoder", Transcoder)


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
