"""Which job is leased next, in SQL.

1. What somebody waits for: priority 0 and 1, whoever owns it.
2. Else among owners, the one with the fewest jobs running; between equals the one whose next job has the lower
   priority number, or is older. An owner's own jobs go by priority, then age.

So ten thousand jobs of one person hold up nobody else's one. What is looked at are the heads, one for each owner and
kind, found by skipping through an index of what is ready: the cost grows with the owners that wait (up to
`HEADS_MAX` at a time), not with their jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Select, exists, func, literal, literal_column, select, text, update
from sqlalchemy.orm import Session

from streamgate.sdk.ids import new_id
from streamgate_worker.repository import JobRow, change
from streamgate_worker.tables import jobs

HEADS_MAX = 100
"""Owners of a kind looked at in one go. Where more wait, the next look goes on behind the last of them."""
PROMOTE_MAX = 200
URGENT = 1
"""Priorities up to this one do not stand in line."""

# As literals: only so can the planners of both databases see that the partial indexes serve.
IS_READY: ColumnElement[bool] = jobs.c.place == literal_column("'ready'")
RUNS: ColumnElement[bool] = jobs.c.status == literal_column("'running'")
RESTS: ColumnElement[bool] = jobs.c.place == literal_column("'rests'")
IS_URGENT: ColumnElement[bool] = jobs.c.priority <= literal_column(str(URGENT))


@attrs.define
class Rounds:
    """Where the look at the owners of a kind goes on, where they are too many for one look."""

    after: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Head:
    """An owner's next job of a kind. `running`: the owner's running jobs, of any kind."""

    running: int
    priority: int
    run_at_ms: int
    job_id: str
    kind: str
    owner: str


@attrs.frozen
class Look:
    """What a look at the queue found. `has_ready`: of the kinds that were asked for."""

    has_ready: bool
    has_due: bool
    has_expired: bool

    def __bool__(self) -> bool:
        return self.has_ready or self.has_due or self.has_expired


def by_index(session: Session) -> None:
    """Every question of a lease has an index of few rows. PostgreSQL's statistics lag behind a queue that fills and
    empties in seconds, and would have it read the whole table; so it is told, for this transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_seqscan = off"))


def look(session: Session, kind_names: Sequence[str], now_ms: int) -> Look:
    """Whether a lease might be given: something is ready, its time has come, or a lease has run out. Reads only."""
    by_index(session)
    asked = (
        exists().where(IS_READY, jobs.c.kind.in_(kind_names)),
        exists().where(RESTS, jobs.c.run_at_ms <= now_ms),
        exists().where(RUNS, jobs.c.lease_until_ms <= now_ms),
    )
    return Look(*map(bool, session.execute(select(*asked)).one()))


def promote(session: Session, now_ms: int, limit: int = PROMOTE_MAX) -> list[str]:
    """Makes ready what rests and whose time has come, oldest first; returns the kinds. Not a change of the job as
    others know it, so it counts no revision."""
    due = (
        select(jobs.c.job_id)
        .where(RESTS, jobs.c.run_at_ms <= now_ms)
        .order_by(jobs.c.run_at_ms)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = list(session.scalars(due))
    if not found:
        return []
    moved = update(jobs).where(jobs.c.job_id.in_(found)).values(status="queued", place="ready").returning(jobs.c.kind)
    return sorted(set(session.scalars(moved)))


def take(
    session: Session, kind_names: Sequence[str], runner: str, now_ms: int, lease_ms: int, rounds: Rounds
) -> JobRow | None:
    """Leases the job that is next among these kinds. Rows another replica holds are passed over."""
    found = _urgent(session, kind_names) or _fair(session, kind_names, rounds)
    if found is None:
        return None
    return change(
        session,
        found,
        now_ms,
        status="running",
        lease_id=new_id("l"),
        lease_until_ms=now_ms + lease_ms,
        leased_at_ms=now_ms,
        has_told=False,
        runner=runner,
        attempts=jobs.c.attempts + 1,
        started_at_ms=func.coalesce(jobs.c.started_at_ms, literal(now_ms)),
        progress=0.0,
        stage="",
    )


def _urgent(session: Session, kind_names: Sequence[str]) -> str | None:
    found: str | None = session.scalar(urgent_statement(kind_names))
    return found


def urgent_statement(kind_names: Sequence[str]) -> Select[Any]:
    """Kind leads its index: SQLite would else take the one of all that is ready, and sort it."""
    return (
        select(jobs.c.job_id)
        .where(IS_READY, IS_URGENT, jobs.c.kind.in_(kind_names))
        .order_by(jobs.c.priority, jobs.c.run_at_ms, jobs.c.job_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def _fair(session: Session, kind_names: Sequence[str], rounds: Rounds) -> str | None:
    running = _running(session)
    heads = [head for kind in kind_names for head in _heads(session, kind, running, rounds)]
    for head in sorted(heads, key=lambda head: (head.running, head.priority, head.run_at_ms, head.job_id)):
        found: str | None = session.scalar(
            select(jobs.c.job_id)
            .where(IS_READY, jobs.c.kind == head.kind, jobs.c.owner == head.owner)
            .order_by(jobs.c.priority, jobs.c.run_at_ms, jobs.c.job_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if found is not None:
            return found
    return None


def _running(session: Session) -> dict[str, int]:
    """Running jobs by owner: as many rows as there are runners' places."""
    statement = select(jobs.c.owner, func.count()).where(RUNS).group_by(jobs.c.owner)
    return {row.owner: row[1] for row in session.execute(statement)}


def _heads(session: Session, kind: str, running: dict[str, int], rounds: Rounds) -> list[Head]:
    after = rounds.after.pop(kind, None)
    ids = session.scalars(heads_statement(kind, after)).all()
    if after is not None and not ids:
        after, ids = None, session.scalars(heads_statement(kind, None)).all()
    # Asked for by id, not joined: before its first statistics PostgreSQL would join by reading every job.
    columns = select(jobs.c.job_id, jobs.c.owner, jobs.c.priority, jobs.c.run_at_ms)
    rows = session.execute(columns.where(jobs.c.job_id.in_(ids))).all() if ids else []
    if len(ids) >= HEADS_MAX:
        rounds.after[kind] = max(row.owner for row in rows)
    return [Head(running.get(row.owner, 0), row.priority, row.run_at_ms, row.job_id, kind, row.owner) for row in rows]


def heads_statement(kind: str, after: str | None) -> Any:
    """Ids: the owners by a recursive walk that jumps from one to the next in the index, then the first job of each."""
    is_of_kind = (IS_READY, jobs.c.kind == kind)
    first = select(func.min(jobs.c.owner)).where(*is_of_kind, *(() if after is None else (jobs.c.owner > after,)))
    walk = select(first.scalar_subquery().label("owner"), literal_column("1").label("number")).cte(
        "owners", recursive=True
    )
    further = select(func.min(jobs.c.owner)).where(*is_of_kind, jobs.c.owner > walk.c.owner).scalar_subquery()
    step = select(further, walk.c.number + 1).where(walk.c.owner.is_not(None), walk.c.number < HEADS_MAX)
    owners = walk.union_all(step)
    head = (
        select(jobs.c.job_id)
        .where(*is_of_kind, jobs.c.owner == owners.c.owner)
        .order_by(jobs.c.priority, jobs.c.run_at_ms, jobs.c.job_id)
        .limit(1)
        .correlate(owners)
        .scalar_subquery()
    )
    heads = select(head.label("job_id")).where(owners.c.owner.is_not(None)).subquery()
    return select(heads.c.job_id).where(heads.c.job_id.is_not(None))
