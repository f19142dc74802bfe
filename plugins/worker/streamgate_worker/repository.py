"""The queue in SQL. Functions of a session; they never commit, and `service.py` says the events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from sqlalchemy import Row, Select, bindparam, func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import JobList, JobState, Kind, NewJob
from streamgate.errors import Conflict
from streamgate.sdk.db import insert_into
from streamgate.sdk.ids import uuid7
from streamgate_worker.rows import HELD, UNFINISHED, WAITING
from streamgate_worker.tables import jobs, kinds

JobRow = Row[Any]
SHOWN = [column for column in jobs.c if column.name not in ("payload", "result")]
"""What most need of a row: payload and result may be large (a plan of a whole film)."""
TRACEPARENT_CHARS = 100
BATCH = 400
"""Values in one statement: SQLite allows 32,766 variables, PostgreSQL 32,767."""

# Of a submission, made once: to make a statement is most of the work of asking it.
_FIND = select(*SHOWN).where(jobs.c.job_id == bindparam("job_id"))
_FIND_BY_KEY = select(*SHOWN).where(jobs.c.idempotency_key == bindparam("key"))
_FIND_KIND = select(kinds).where(kinds.c.name == bindparam("name"))
_OF_OWNER = (jobs.c.owner == bindparam("owner"), jobs.c.status.in_(UNFINISHED), jobs.c.root_id == jobs.c.job_id)
_SOME_OF_OWNER = select(jobs.c.job_id).where(*_OF_OWNER).limit(bindparam("most"))
_COUNT_UNFINISHED = select(func.count()).select_from(_SOME_OF_OWNER.subquery())


class JobIdTaken(Conflict):
    code, title = "jobs.id_taken", "Another job has this id"


# --- kinds -----------------------------------------------------------------------------------------------


def register_kind(session: Session, kind: Kind, plugin: str) -> None:
    values = {
        "summary": kind.summary,
        "plugin": plugin,
        "payload_schema": kind.payload_schema,
        "user_may_submit": kind.user_may_submit,
    }
    session.execute(
        insert_into(session, kinds)
        .values(name=kind.name, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def find_kind(session: Session, name: str) -> Kind | None:
    row = session.execute(_FIND_KIND, {"name": name}).first()
    return None if row is None else _to_kind(row)


def _to_kind(row: Row[Any]) -> Kind:
    return Kind(
        name=row.name, summary=row.summary, payload_schema=row.payload_schema, user_may_submit=row.user_may_submit
    )


def all_kinds(session: Session, *, for_everybody: bool) -> list[Kind]:
    """By name; `for_everybody`: without those that are for administrators."""
    statement = select(kinds).order_by(kinds.c.name)
    if for_everybody:
        statement = statement.where(kinds.c.user_may_submit)
    return [_to_kind(row) for row in session.execute(statement)]


def unknown_kinds(session: Session, names: Iterable[str]) -> list[str]:
    wanted = set(names)
    return sorted(wanted - set(session.scalars(select(kinds.c.name).where(kinds.c.name.in_(wanted)))))


# --- adding ----------------------------------------------------------------------------------------------


def add(session: Session, wanted: Sequence[NewJob], now_ms: int) -> tuple[list[str], list[JobRow]]:
    """Adds what is not there yet by its idempotency key.

    Returns:
        The job ids in the order of `wanted`, and the rows that were cancelled from the start because their task is.

    Raises:
        JobIdTaken: another job has an id that was asked for.
    """
    values = [new_row(job, now_ms) for job in wanted]
    roots = stopped_roots(session, {row["root_id"] for row in values if row["root_id"] != row["job_id"]})
    for row in values:
        root = roots.get(row["root_id"])
        if root is not None and root.is_task_cancelled:
            row.update(status="cancelled", place="", finished_at_ms=now_ms)
        elif root is not None:
            row.update(place=HELD)
    for start in range(0, len(values), BATCH):
        session.execute(insert_into(session, jobs).on_conflict_do_nothing(), values[start : start + BATCH])
    found = _by_keys(session, [job.idempotency_key for job in wanted])
    missing = [job.job_id for job in wanted if job.idempotency_key not in found]
    if missing:
        raise JobIdTaken(f"another job has the id {missing[0]}")
    mine = {row["job_id"] for row in values if row["status"] == "cancelled"}
    return (
        [found[job.idempotency_key].job_id for job in wanted],
        [row for row in found.values() if row.job_id in mine],
    )


def new_row(job: NewJob, now_ms: int) -> dict[str, Any]:
    job_id = job.job_id or uuid7()
    return {
        "job_id": job_id,
        "root_id": job.root_id or job_id,
        "kind": job.kind,
        "payload": job.payload,
        "idempotency_key": job.idempotency_key,
        "owner": job.owner,
        "subject_id": job.subject_id,
        "traceparent": job.traceparent[:TRACEPARENT_CHARS],
        "status": "scheduled" if job.run_at_ms > now_ms else "queued",
        "place": _place(job.run_at_ms, now_ms),
        "priority": job.priority,
        "run_at_ms": max(job.run_at_ms, now_ms),
        "attempts": 0,
        "max_attempts": job.max_attempts,
        "revision": 1,
        "lease_id": "",
        "lease_until_ms": 0,
        "leased_at_ms": 0,
        "has_told": False,
        "runner": "",
        "progress": 0.0,
        "stage": "",
        "error_code": "",
        "error_detail": "",
        "is_task_cancelled": False,
        "paused_at_ms": None,
        "paused_ms": 0,
        "created_at_ms": now_ms,
        "updated_at_ms": now_ms,
        "started_at_ms": None,
        "finished_at_ms": None,
    }


def stopped_roots(session: Session, root_ids: Iterable[str]) -> dict[str, JobRow]:
    """Those of tasks that are cancelled or paused. Locks all of them, so that a cancelling that has begun is waited
    for, and one that begins sees the children; and so it is with pausing and resuming."""
    wanted = sorted(set(root_ids))
    if not wanted:
        return {}
    statement = select(jobs.c.job_id, jobs.c.is_task_cancelled, jobs.c.paused_at_ms).where(jobs.c.job_id.in_(wanted))
    rows: Iterable[JobRow] = session.execute(statement.order_by(jobs.c.job_id).with_for_update(read=True))
    return {row.job_id: row for row in rows if row.is_task_cancelled or row.paused_at_ms is not None}


def _by_keys(session: Session, keys: Sequence[str]) -> dict[str, JobRow]:
    found: dict[str, JobRow] = {}
    for start in range(0, len(keys), BATCH):
        statement = select(*SHOWN).where(jobs.c.idempotency_key.in_(keys[start : start + BATCH]))
        found.update((row.idempotency_key, row) for row in session.execute(statement))
    return found


# --- leasing ---------------------------------------------------------------------------------------------


def lock(session: Session, job_id: str) -> JobRow | None:
    """The row, and nobody else changes it until this transaction ends."""
    return session.execute(select(*SHOWN).where(jobs.c.job_id == job_id).with_for_update()).first()


def expired(session: Session, now_ms: int, limit: int) -> list[JobRow]:
    """Rows whose lease has run out, locked; those being changed elsewhere are passed over."""
    statement = (
        select(*SHOWN)
        .where(jobs.c.status == literal_column("'running'"), jobs.c.lease_until_ms <= now_ms)  # as its index says
        .order_by(jobs.c.lease_until_ms)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(session.execute(statement))


def unfinished(session: Session, job_id: str) -> list[JobRow]:
    """What of a task, or of a single job, has not ended; locked, in a fixed order."""
    statement = (
        select(*SHOWN)
        .where(or_(jobs.c.job_id == job_id, jobs.c.root_id == job_id), jobs.c.status.in_(UNFINISHED))
        .order_by(jobs.c.job_id)
        .with_for_update()
    )
    return list(session.execute(statement))


def change(session: Session, job_id: str, now_ms: int, **values: Any) -> JobRow:
    """Changes one row and counts its revision; the row as it is now, with its payload. Whoever makes it wait again
    says since when (`run_at_ms`)."""
    if "status" in values:
        values["place"] = "" if values["status"] not in WAITING else _place(values["run_at_ms"], now_ms)
    statement = (
        update(jobs)
        .where(jobs.c.job_id == job_id)
        .values(revision=jobs.c.revision + 1, updated_at_ms=now_ms, **values)
        .returning(jobs)
    )
    return session.execute(statement).one()


def _place(run_at_ms: int, now_ms: int) -> str:
    return "ready" if run_at_ms <= now_ms else "rests"


def touch(
    session: Session, job_id: str, lease_id: str, lease_until_ms: int, progress: float, stage: str
) -> JobRow | None:
    """A heartbeat, without a revision. None: the lease does not count any more."""
    statement = (
        update(jobs)
        .where(jobs.c.job_id == job_id, jobs.c.lease_id == lease_id, jobs.c.status == "running")
        .values(lease_until_ms=lease_until_ms, progress=progress, stage=stage)
        .returning(jobs)
    )
    return session.execute(statement).first()


# --- reading ---------------------------------------------------------------------------------------------


def find(session: Session, job_id: str) -> JobRow | None:
    return session.execute(_FIND, {"job_id": job_id}).first()


def find_by_key(session: Session, idempotency_key: str) -> JobRow | None:
    return session.execute(_FIND_BY_KEY, {"key": idempotency_key}).first()


def count_unfinished(session: Session, owner: str, limit: int) -> int:
    """Jobs of one owner that wait or run, without the children of tasks; counted up to `limit`."""
    return session.scalar(_COUNT_UNFINISHED, {"owner": owner, "most": limit}) or 0


def find_with_result(session: Session, job_id: str) -> JobRow | None:
    return session.execute(select(*[*SHOWN, jobs.c.result]).where(jobs.c.job_id == job_id)).first()


def children(session: Session, root_id: str) -> list[JobRow]:
    statement = select(*SHOWN).where(jobs.c.root_id == root_id, jobs.c.job_id != root_id)
    return list(session.execute(statement.order_by(jobs.c.created_at_ms, jobs.c.job_id)))


def page(session: Session, query: JobList, now_ms: int, after: tuple[int, str] | None) -> list[JobRow]:
    """Newest first; one more row than the page holds, so that the caller sees whether there are further ones."""
    statement = select(*SHOWN).order_by(jobs.c.created_at_ms.desc(), jobs.c.job_id.desc()).limit(query.limit + 1)
    if query.actor.kind != "service" and "admin" not in query.actor.roles:
        statement = statement.where(jobs.c.owner == query.actor.user_id, jobs.c.owner != "")
    if query.kind:
        statement = statement.where(jobs.c.kind == query.kind)
    if query.subject_id:
        statement = statement.where(jobs.c.subject_id == query.subject_id)
    if query.root_only:
        statement = statement.where(jobs.c.root_id == jobs.c.job_id)
    if query.status:
        statement = _with_status(statement, query.status, now_ms)
    if after is not None:
        at_ms, job_id = after
        older = jobs.c.created_at_ms < at_ms
        statement = statement.where(or_(older, (jobs.c.created_at_ms == at_ms) & (jobs.c.job_id < job_id)))
    return list(session.execute(statement))


def _with_status(statement: Select[Any], status: JobState | str, now_ms: int) -> Select[Any]:
    is_due = jobs.c.run_at_ms <= now_ms
    if status == "scheduled":
        return statement.where(jobs.c.status == "scheduled", ~is_due, jobs.c.place != HELD)
    if status == "queued":
        is_queued = or_(jobs.c.status == "queued", (jobs.c.status == "scheduled") & is_due)
        return statement.where(is_queued, jobs.c.place != HELD)
    if status == "paused":
        return statement.where(jobs.c.place == HELD)
    return statement.where(jobs.c.status == status)


@attrs.frozen
class Depth:
    """Unfinished jobs of one kind in one state, without those that are held. `since_ms`: when the first of them might
    have run."""

    kind: str
    status: str
    count: int
    since_ms: int


def depths(session: Session) -> list[Depth]:
    statement = (
        select(jobs.c.kind, jobs.c.status, func.count(), func.min(jobs.c.run_at_ms))
        .where(jobs.c.status.in_(UNFINISHED), jobs.c.place != HELD)
        .group_by(jobs.c.kind, jobs.c.status)
    )
    return [Depth(*row) for row in session.execute(statement)]
