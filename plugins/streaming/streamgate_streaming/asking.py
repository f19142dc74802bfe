"""Has made, now, what somebody waits for: the job that makes it jumps the queue, and runs though its task be paused."""

from __future__ import annotations

from functools import partial

from loguru import logger
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import Bump, JobNotFound, Jobs
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, MediaPlan
from streamgate.errors import StreamgateError
from streamgate.sdk.db import Database

from .tables import WorkRow
from .verify import planned


class Asking:
    def __init__(self, db: Database, jobs: Jobs) -> None:
        self._db = db
        self._jobs = jobs

    async def hurry(self, plan: MediaPlan, rendition_id: str, n: int) -> None:
        """Of the segment `n` (below 0: the head) of an encoded rendition. That worker is away changes nothing: it comes
        when it comes."""
        for job_id in await self._db.read(partial(_makers, plan=plan, rendition_id=rendition_id, n=max(0, n))):
            try:
                await self._jobs.bump(Bump(job_id=job_id))
            except JobNotFound:
                logger.bind(job_id=job_id).info("job that somebody waits for is not queued yet")
            except StreamgateError as fault:
                logger.bind(job_id=job_id, code=fault.code).warning("job that somebody waits for cannot be hurried")


def _makers(session: Session, plan: MediaPlan, rendition_id: str, n: int) -> list[str]:
    """The open jobs that make a segment."""
    rendition = planned(plan, rendition_id)
    of_media = (WorkRow.content_id == plan.content_id, WorkRow.media_version == plan.media_version)
    if rendition is None or rendition.kind == "audio":
        makes = (WorkRow.kind == AUDIO_KIND) & (WorkRow.rendition_id == rendition_id)
    else:
        chunks = [chunk.n for chunk in plan.chunks if chunk.seg_from <= n < chunk.seg_to]
        whose = or_(WorkRow.rendition_id == "", WorkRow.rendition_id == rendition_id)
        makes = (WorkRow.kind == CHUNK_KIND) & WorkRow.chunk_n.in_(chunks) & whose
    return list(session.scalars(select(WorkRow.job_id).where(*of_media, makes)))
