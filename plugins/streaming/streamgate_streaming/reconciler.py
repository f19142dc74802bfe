"""Asks worker about versions that are long in the making: an event that was lost must not leave one so for ever."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from streamgate.context import ANONYMOUS
from streamgate.contracts.events import JOB_FINISHED, JobFinished
from streamgate.contracts.jobs import Job, JobNotFound, JobQuery, Jobs
from streamgate.contracts.media import PROBE_KIND
from streamgate.errors import StreamgateError, Unavailable
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from .orchestration import IN_THE_MAKING, Orchestration
from .tables import MediaRow, WorkRow

LATE_AFTER_S = 600.0
"""So long an end may be on its way before it counts as lost; measured from when this process saw it first, so that
what waits in the queue of events after a stop is heard before."""

TASK_LOST = "media.task_lost"
_VERSIONS = 20
End = Literal["done", "failed", "dead", "cancelled"]
_ENDS: dict[str, End] = {"done": "done", "failed": "failed", "dead": "dead", "cancelled": "cancelled"}


@attrs.frozen
class _Open:
    """A version in the making and the jobs of it that are not known to be over."""

    content_id: str
    media_version: int
    root_id: str
    kinds: Mapping[str, str]  # by job id


class Reconciler:
    """A turn asks about 20 versions, the next one goes on from there."""

    def __init__(self, db: Database, jobs: Jobs, orchestration: Orchestration, clock: Clock) -> None:
        self._db = db
        self._jobs = jobs
        self._orchestration = orchestration
        self._clock = clock
        self._after = ("", 0)
        self._met: set[str] = set()
        self._over_since_s: dict[str, dict[str, float]] = {}  # by root, by job: monotonic

    async def reconcile(self) -> None:
        created_before_ms = self._clock.now_ms() - round(LATE_AFTER_S * 1000)
        after = self._after
        versions = await self._db.read(lambda session: _open_versions(session, created_before_ms, after))
        is_last = len(versions) < _VERSIONS
        self._after = ("", 0) if is_last else (versions[-1].content_id, versions[-1].media_version)
        self._met |= {version.root_id for version in versions}
        if is_last:  # of all that there are: what was not met in this round is over
            self._over_since_s = {root: since for root, since in self._over_since_s.items() if root in self._met}
            self._met = set()
        for version in versions:
            try:
                task = await self._jobs.task(JobQuery(job_id=version.root_id))
            except JobNotFound:
                await self._compare(version, {})
            except Unavailable as fault:
                logger.bind(code=fault.code).info("worker cannot be asked about open versions")
                return
            except StreamgateError as fault:
                logger.bind(task_id=version.root_id, code=fault.code).warning("task cannot be asked about")
            else:
                await self._compare(version, {job.job_id: job for job in task.jobs})

    async def _compare(self, version: _Open, jobs: Mapping[str, Job]) -> None:
        now_s = self._clock.monotonic_s()
        before = self._over_since_s.get(version.root_id, {})
        known = {job_id: jobs.get(job_id) for job_id in version.kinds}
        over = {job_id: job for job_id, job in known.items() if job is None or job.status in _ENDS}
        since_s = self._over_since_s[version.root_id] = {job_id: before.get(job_id, now_s) for job_id in over}
        for job_id, job in over.items():
            if now_s - since_s[job_id] >= LATE_AFTER_S:
                await self._take_in(version, job_id, job)

    async def _take_in(self, version: _Open, job_id: str, job: Job | None) -> None:
        """As if its end were heard now. What it answered is gone with the event: of a probe that is a failure, of
        parts their checkpoints may have told everything."""
        kind = version.kinds[job_id]
        logger.bind(task_id=version.root_id, job_id=job_id, kind=kind).warning("end of a job was never heard")
        is_done = job is not None and job.status == "done"
        body = JobFinished(
            subject_id=version.content_id,
            revision=1,
            job_id=job_id,
            root_id=version.root_id,
            kind=kind,
            status=_ENDS[job.status] if job is not None else "dead",
            result={"parts": []} if is_done and kind != PROBE_KIND else None,
            error_code=job.error_code if job is not None else TASK_LOST,
            error_detail=job.error_detail if job is not None else "the queue does not know the job",
        )
        event = Received(
            name=JOB_FINISHED.name, event_id=f"late:{job_id}", body=body, actor=ANONYMOUS, request_id=f"late:{job_id}"
        )
        await self._orchestration.on_job_finished(event)


def _open_versions(session: Session, created_before_ms: int, after: tuple[str, int]) -> list[_Open]:
    """A page of them, by content and version."""
    page = (
        select(MediaRow)
        .where(
            MediaRow.state.in_(IN_THE_MAKING),
            MediaRow.created_at_ms < created_before_ms,
            tuple_(MediaRow.content_id, MediaRow.media_version) > after,
        )
        .order_by(MediaRow.content_id, MediaRow.media_version)
        .limit(_VERSIONS)
    )
    return [
        _Open(media.content_id, media.media_version, media.root_id, _open_jobs(session, media))
        for media in session.scalars(page)
    ]


def _open_jobs(session: Session, media: MediaRow) -> dict[str, str]:
    of_media = (WorkRow.content_id == media.content_id, WorkRow.media_version == media.media_version)
    return {row.job_id: row.kind for row in session.scalars(select(WorkRow).where(*of_media))}
