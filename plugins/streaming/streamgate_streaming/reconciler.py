"""Asks worker about versions and pictures that are long in the making: an event that was lost must not leave one so for
ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy import exists, or_, select, tuple_
from sqlalchemy.orm import Session

from streamgate.context import ANONYMOUS
from streamgate.contracts.events import JOB_FINISHED, JobFinished
from streamgate.contracts.jobs import Job, JobNotFound, JobQuery, Jobs
from streamgate.contracts.media import ASKED_KIND
from streamgate.errors import StreamgateError, Unavailable
from streamgate.events import Received
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database

from .making import TASK_LOST
from .orchestration import IN_THE_MAKING, KINDS_OF_PARTS, Orchestration
from .orders import BESIDE_KINDS
from .tables import MediaRow, WorkRow

LATE_AFTER_S = 600.0
"""So long an end may be on its way before it counts as lost; measured from when this process saw it first, so that
what waits in the queue of events after a stop is heard before."""

_TASKS = 20
End = Literal["done", "failed", "dead", "cancelled"]
_ENDS: dict[str, End] = {"done": "done", "failed": "failed", "dead": "dead", "cancelled": "cancelled"}


_OWN_TASKS = BESIDE_KINDS | {ASKED_KIND}

Place = tuple[str, int]


@attrs.frozen
class _Open:
    """A task, and the jobs of it that are not known to be over. `place`: in the order of all of its sort."""

    place: Place
    content_id: str
    root_id: str
    kinds: Mapping[str, str]  # by job id


Page = Callable[[Session, int, Place], list[_Open]]
"""Of tasks made before a moment, after a place; at most 20."""


@attrs.define
class _Round:
    """Through all tasks of a sort, a page at a time. `over_since_s`: by root, by job, monotonic."""

    page: Page
    over_since_s: dict[str, dict[str, float]] = attrs.field(factory=dict)
    _after: Place = ("", 0)
    _met: set[str] = attrs.field(factory=set)

    async def next_page(self, db: Database, created_before_ms: int) -> list[_Open]:
        after = self._after
        tasks = await db.read(lambda session: self.page(session, created_before_ms, after))
        is_last = len(tasks) < _TASKS
        self._after = ("", 0) if is_last else tasks[-1].place
        self._met |= {task.root_id for task in tasks}
        if is_last:  # of all that there are: what was not met in this round is over
            self.over_since_s = {root: since for root, since in self.over_since_s.items() if root in self._met}
            self._met = set()
        return tasks


class Reconciler:
    """A turn asks about 20 versions and 20 jobs that make pictures, the next one goes on from there."""

    def __init__(self, db: Database, jobs: Jobs, orchestration: Orchestration, clock: Clock) -> None:
        self._db = db
        self._jobs = jobs
        self._orchestration = orchestration
        self._clock = clock
        self._rounds = (_Round(_open_versions), _Round(_open_pictures))

    async def reconcile(self) -> None:
        created_before_ms = self._clock.now_ms() - round(LATE_AFTER_S * 1000)
        for each in self._rounds:
            for task in await each.next_page(self._db, created_before_ms):
                try:
                    found = await self._jobs.task(JobQuery(job_id=task.root_id))
                except JobNotFound:
                    await self._compare(each, task, {})
                except Unavailable as fault:
                    logger.bind(code=fault.code).info("worker cannot be asked about open tasks")
                    return
                except StreamgateError as fault:
                    logger.bind(task_id=task.root_id, code=fault.code).warning("task cannot be asked about")
                else:
                    await self._compare(each, task, {job.job_id: job for job in found.jobs})

    async def _compare(self, of: _Round, task: _Open, jobs: Mapping[str, Job]) -> None:
        now_s = self._clock.monotonic_s()
        before = of.over_since_s.get(task.root_id, {})
        known = {job_id: jobs.get(job_id) for job_id in task.kinds}
        over = {job_id: job for job_id, job in known.items() if job is None or job.status in _ENDS}
        since_s = of.over_since_s[task.root_id] = {job_id: before.get(job_id, now_s) for job_id in over}
        for job_id, job in over.items():
            if now_s - since_s[job_id] >= LATE_AFTER_S:
                await self._take_in(task, job_id, job)

    async def _take_in(self, task: _Open, job_id: str, job: Job | None) -> None:
        """As if its end were heard now. What it answered is gone with the event: of a probe or of pictures that is a
        failure, of parts their checkpoints may have told everything."""
        kind = task.kinds[job_id]
        logger.bind(task_id=task.root_id, job_id=job_id, kind=kind).warning("end of a job was never heard")
        is_done = job is not None and job.status == "done"
        body = JobFinished(
            subject_id=task.content_id,
            revision=1,
            job_id=job_id,
            root_id=task.root_id,
            kind=kind,
            status=_ENDS[job.status] if job is not None else "dead",
            result={"parts": []} if is_done and kind in KINDS_OF_PARTS else None,
            error_code=job.error_code if job is not None else TASK_LOST,
            error_detail=job.error_detail if job is not None else "the queue does not know the job",
        )
        event = Received(
            name=JOB_FINISHED.name, event_id=f"late:{job_id}", body=body, actor=ANONYMOUS, request_id=f"late:{job_id}"
        )
        await self._orchestration.on_job_finished(event)


def _open_versions(session: Session, created_before_ms: int, after: Place) -> list[_Open]:
    """Of ready ones those of which something is made again."""
    is_made_again = exists().where(
        WorkRow.content_id == MediaRow.content_id,
        WorkRow.media_version == MediaRow.media_version,
        WorkRow.kind.not_in(_OWN_TASKS),
    )
    page = (
        select(MediaRow)
        .where(
            or_(MediaRow.state.in_(IN_THE_MAKING), is_made_again),
            MediaRow.created_at_ms < created_before_ms,
            tuple_(MediaRow.content_id, MediaRow.media_version) > after,
        )
        .order_by(MediaRow.content_id, MediaRow.media_version)
        .limit(_TASKS)
    )
    found = []
    for media in session.scalars(page):
        of_media = (WorkRow.content_id == media.content_id, WorkRow.media_version == media.media_version)
        works = session.scalars(select(WorkRow).where(*of_media, WorkRow.kind.not_in(_OWN_TASKS)))
        place, kinds = (media.content_id, media.media_version), {row.job_id: row.kind for row in works}
        found.append(_Open(place, media.content_id, media.root_id, kinds))
    return found


def _open_pictures(session: Session, created_before_ms: int, after: Place) -> list[_Open]:
    """And of what somebody asked for. Each is a task of its own, and may wait as long as there is anything to encode.
    When it was made is not known."""
    waiting = WorkRow.kind.in_(_OWN_TASKS)
    page = select(WorkRow).where(waiting, WorkRow.job_id > after[0]).order_by(WorkRow.job_id).limit(_TASKS)
    return [_Open((row.job_id, 0), row.content_id, row.job_id, {row.job_id: row.kind}) for row in session.scalars(page)]
