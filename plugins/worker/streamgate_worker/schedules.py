"""Schedules: what is asked for again and again. The table in SQL, and what is shown of it."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import Row, delete, func, or_, select, update
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import JobState, ScheduleInvalid
from streamgate.errors import FieldError
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.db import insert_into
from streamgate_worker.cron import Cron, CronFault
from streamgate_worker.tables import jobs, schedules

ScheduleRow = Row[Any]
DUE_MAX = 50
"""Schedules that one transaction sees to."""


@attrs.frozen(kw_only=True)
class LastJob:
    job_id: str
    status: JobState


@attrs.frozen(kw_only=True)
class Schedule:
    """`next_run_at` is null where it is not enabled. `last_run_at` is the moment its last job was for."""

    name: str
    owner: str
    cron: str
    timezone: str
    kind: str
    payload: dict[str, Any]
    enabled: bool
    catch_up: bool
    next_run_at: str | None
    last_run_at: str | None
    last_job: LastJob | None
    created_at: str
    updated_at: str


@attrs.frozen(kw_only=True)
class WantedSchedule:
    owner: str
    name: str
    cron: str
    timezone: str
    kind: str
    payload: dict[str, Any]
    is_enabled: bool
    catches_up: bool


def parse_cron(expression: str, zone: str) -> Cron:
    """Raises ScheduleInvalid, with the field."""
    try:
        return Cron.parse(expression, zone)
    except CronFault as fault:
        error = FieldError(fault.field, str(fault))
        raise ScheduleInvalid(f"the {fault.field} of the schedule cannot be read", errors=(error,)) from fault


def put(session: Session, wanted: WantedSchedule, next_run_at_ms: int | None, now_ms: int) -> None:
    values = {**attrs.asdict(wanted), "next_run_at_ms": next_run_at_ms, "updated_at_ms": now_ms}
    statement = insert_into(session, schedules).values(**values, last_job_id="", created_at_ms=now_ms)
    session.execute(statement.on_conflict_do_update(index_elements=["owner", "name"], set_=values))


def count_of(session: Session, owner: str) -> int:
    return session.scalar(select(func.count()).select_from(schedules).where(schedules.c.owner == owner)) or 0


def find(session: Session, owner: str, name: str) -> ScheduleRow | None:
    return session.execute(_shown().where(schedules.c.owner == owner, schedules.c.name == name)).first()


def remove(session: Session, owner: str, name: str) -> bool:
    statement = delete(schedules).where(schedules.c.owner == owner, schedules.c.name == name)
    return session.scalar(statement.returning(schedules.c.name)) is not None


def page(session: Session, owner: str | None, after: tuple[str, str] | None, limit: int) -> list[ScheduleRow]:
    """By owner and name. `owner` None: everybody's."""
    statement = _shown().order_by(schedules.c.owner, schedules.c.name).limit(limit)
    if owner is not None:
        statement = statement.where(schedules.c.owner == owner)
    if after is not None:
        is_later = (schedules.c.owner == after[0]) & (schedules.c.name > after[1])
        statement = statement.where(or_(schedules.c.owner > after[0], is_later))
    return list(session.execute(statement))


def _shown() -> Any:
    joined = schedules.outerjoin(jobs, jobs.c.job_id == schedules.c.last_job_id)
    return select(*[*schedules.c, jobs.c.status.label("last_status")]).select_from(joined)


def next_due_ms(session: Session) -> int | None:
    earliest: int | None = session.scalar(select(func.min(schedules.c.next_run_at_ms)))
    return earliest


def due(session: Session, now_ms: int) -> list[ScheduleRow]:
    """Locked, so that a replacing that comes meanwhile waits; whoever waited here sees what was done."""
    statement = select(schedules).where(schedules.c.next_run_at_ms <= now_ms).order_by(schedules.c.next_run_at_ms)
    return list(session.execute(statement.limit(DUE_MAX).with_for_update()))


def set_next(session: Session, row: ScheduleRow, next_run_at_ms: int | None) -> None:
    _change(session, row, next_run_at_ms=next_run_at_ms)


def note_run(session: Session, row: ScheduleRow, moment_ms: int, job_id: str) -> None:
    _change(session, row, last_run_at_ms=moment_ms, last_job_id=job_id)


def _change(session: Session, row: ScheduleRow, **values: Any) -> None:
    mine = (schedules.c.owner == row.owner, schedules.c.name == row.name)
    session.execute(update(schedules).where(*mine).values(**values))


def to_schedule(row: ScheduleRow) -> Schedule:
    last_job = LastJob(job_id=row.last_job_id, status=row.last_status) if row.last_status else None
    return Schedule(
        name=row.name,
        owner=row.owner,
        cron=row.cron,
        timezone=row.timezone,
        kind=row.kind,
        payload=row.payload,
        enabled=row.is_enabled,
        catch_up=row.catches_up,
        next_run_at=None if row.next_run_at_ms is None else rfc3339(row.next_run_at_ms),
        last_run_at=None if row.last_run_at_ms is None else rfc3339(row.last_run_at_ms),
        last_job=last_job,
        created_at=rfc3339(row.created_at_ms),
        updated_at=rfc3339(row.updated_at_ms),
    )
