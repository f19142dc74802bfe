"""What a transcode looks like to those who ask for one, over HTTP today and gRPC later.

There is no transcoder *service*: a process with a transcoder leases jobs from the worker. Submitting goes to
streaming (`Streaming.transcode`), progress is composed of the worker's task and streaming's renditions,
cancelling goes to the worker. A `task_id` is the root job's id.
"""

from __future__ import annotations

import attrs

from streamgate.contracts.jobs import JobState
from streamgate.contracts.streaming import RenditionState


@attrs.frozen(kw_only=True)
class TranscodeStatus:
    """`progress` 0 to 1: the share of what is planned that is made and kept. It never falls, whatever happens to an
    attempt; what is cancelled or fails stays where it was, and a new transcode (another `task_id`) begins at 0. `speed`
    in seconds of source per second of work, and `eta_s`, are None until known."""

    task_id: str
    content_id: str
    status: JobState
    progress: float
    stage: str
    renditions: tuple[RenditionState, ...]
    speed: float | None
    eta_s: float | None
    error: str
    attempts: int
