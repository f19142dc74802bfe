"""Has made, now, what somebody waits for: the job that makes it jumps the queue, and runs though its task be paused. Of
a lazy rung there is no job before somebody waits."""

from __future__ import annotations

from functools import partial

from loguru import logger
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import Bump, JobNotFound, Jobs
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, MediaPlan
from streamgate.errors import StreamgateError
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.db import Database

from .asked import Part, ask, is_open, wanted
from .plans import plan_blob
from .tables import WorkRow
from .verify import planned


class Asking:
    def __init__(self, db: Database, blobs: BlobStore, jobs: Jobs) -> None:
        self._db = db
        self._blobs = blobs
        self._jobs = jobs

    async def hurry(self, plan: MediaPlan, rendition_id: str, n: int, near: int = 0) -> None:
        """Of the segment `n` of an encoded rendition; below 0 of its head, with which `near` is made. That worker is
        away changes nothing: it comes when it comes.

        Raises:
            SegmentPending, SegmentUnknown: of a lazy rung it is not made now, or never.
        """
        rendition = planned(plan, rendition_id)
        if rendition is not None and rendition.policy == "lazy":
            part = Part(plan=plan, rendition_id=rendition_id, n=n, near=near)
            if await self._db.read(partial(wanted, part=part)):  # whoever is refused costs a look
                await keep_plan(self._blobs, plan)
                await self._db.write(partial(ask, part=part))
            return
        for job_id in await self._db.read(partial(_makers, plan=plan, rendition_id=rendition_id, n=max(0, n))):
            try:
                await self._jobs.bump(Bump(job_id=job_id))
            except JobNotFound:
                logger.bind(job_id=job_id).info("job that somebody waits for is not queued yet")
            except StreamgateError as fault:
                logger.bind(job_id=job_id, code=fault.code).warning("job that somebody waits for cannot be hurried")

    async def go_on(self, plan: MediaPlan, rendition_id: str, n: int) -> None:
        """It is made, and somebody is there: of a lazy rung what follows is made before it is asked for. Nobody waits
        for that yet, so it is no matter where it fails."""
        rendition = planned(plan, rendition_id)
        if rendition is None or rendition.policy == "eager":
            return
        about = {"content_id": plan.content_id, "rendition_id": rendition_id, "n": n}
        try:
            await self.hurry(plan, rendition_id, n)
        except StreamgateError as fault:
            logger.bind(**about, code=fault.code).debug("what follows is not made in advance")
        except Exception:
            logger.bind(**about).exception("what follows is not made in advance")

    async def is_under_way(self, plan: MediaPlan, rendition_id: str, n: int) -> bool:
        """Whether a job still makes it. What is made in advance has one for as long as it is listed."""
        rendition = planned(plan, rendition_id)
        if rendition is None or rendition.policy == "eager":
            return True
        return await self._db.read(partial(is_open, plan=plan, rendition_id=rendition_id, n=n))


async def keep_plan(blobs: BlobStore, plan: MediaPlan) -> None:
    """Jobs find the plan of a version that has been ready for long: with new keys it has another number, and another
    plan."""
    blob = plan_blob(plan.content_id, plan.media_version, plan)
    try:
        await blobs.stat(blob.key)
    except BlobMissing:
        await blobs.put_bytes(blob.key, blob.data)


def _makers(session: Session, plan: MediaPlan, rendition_id: str, n: int) -> list[str]:
    """The open jobs that make a segment."""
    rendition = planned(plan, rendition_id)
    of_media = (WorkRow.content_id == plan.content_id, WorkRow.media_version == plan.media_version)
    if rendition is None or rendition.kind == "audio":
        makes = (WorkRow.kind == AUDIO_KIND) & (WorkRow.rendition_id == rendition_id)
    else:
        chunks = [chunk.n for chunk in plan.chunks if chunk.seg_from <= n < chunk.seg_to]
        whose = WorkRow.rendition_id == rendition_id
        if not (rendition.base and plan.base_first):
            whose = or_(whose, WorkRow.rendition_id == "")
        makes = (WorkRow.kind == CHUNK_KIND) & WorkRow.chunk_n.in_(chunks) & whose
    return list(session.scalars(select(WorkRow.job_id).where(*of_media, makes)))
