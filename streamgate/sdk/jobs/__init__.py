"""Work that is queued, leased and counted once. The queue is worker's; the work is done where its plugin runs.

def finish(session: Session) -> None:
    …
    request_jobs(session, [NewJob(kind="media.probe", …)], subject_id=content_id, revision=row.revision)

# plugin.py of a plugin that implements `collect_job_kinds`
collect_units → [Runner(ctx, needs=(f"{ctx.name}.blobs",)), …]
"""

from streamgate.sdk.jobs.requesting import in_trace, request_jobs
from streamgate.sdk.jobs.runner import Runner

__all__ = ["Runner", "in_trace", "request_jobs"]
