"""The history of health and of numbers in the database. Functions of a session; they commit nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import Table, delete, func, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_monitor.numbers import MinuteValue
from streamgate_monitor.tables import health, metrics


@attrs.frozen(kw_only=True)
class HealthNote:
    at_ms: int
    ok: bool
    services: dict[str, dict[str, Any]]  # Any: ok, detail and latency_ms, as they are shown


def add_health(session: Session, note: HealthNote) -> None:
    values = {"at_ms": note.at_ms, "ok": note.ok, "services": note.services}
    session.execute(insert_into(session, health).values(values).on_conflict_do_nothing())


def find_health(session: Session, since_ms: int, until_ms: int, limit: int) -> list[HealthNote]:
    """Newest first."""
    query = (
        select(health)
        .where(health.c.at_ms >= since_ms, health.c.at_ms < until_ms)
        .order_by(health.c.at_ms.desc())
        .limit(limit)
    )
    return [HealthNote(at_ms=row.at_ms, ok=row.ok, services=row.services) for row in session.execute(query)]


def add_minute(session: Session, values: Sequence[MinuteValue]) -> None:
    """Telling a minute again replaces it."""
    if values:
        insert = insert_into(session, metrics)
        keys = ["minute_ms", "service", "name", "labels"]
        upsert = insert.on_conflict_do_update(index_elements=keys, set_={"value": insert.excluded.value})
        session.execute(upsert, [attrs.asdict(value) for value in values])


def find_minutes(session: Session, names: Sequence[str], since_ms: int, until_ms: int, limit: int) -> list[MinuteValue]:
    """Oldest first; where there are more than `limit`, the newest of them."""
    query = (
        select(metrics)
        .where(metrics.c.name.in_(names), metrics.c.minute_ms >= since_ms, metrics.c.minute_ms < until_ms)
        .order_by(metrics.c.minute_ms.desc(), metrics.c.service, metrics.c.name, metrics.c.labels)
        .limit(limit)
    )
    found = [
        MinuteValue(
            minute_ms=row.minute_ms,
            service=row.service,
            name=row.name,
            labels=row.labels,
            kind=row.kind,
            value=row.value,
        )
        for row in session.execute(query)
    ]
    return found[::-1]


def forget_before(session: Session, table: Table, column: str, at_ms: int, most: int) -> bool:
    """Forgets what is older, at most about `most` rows at once (those of one moment go together); whether there may
    be more of it."""
    when = table.c[column]
    last = session.scalar(select(when).where(when < at_ms).order_by(when).offset(most - 1).limit(1))
    session.execute(delete(table).where(when < at_ms if last is None else when <= last))
    return last is not None


def newest_minute_ms(session: Session) -> int | None:
    """The newest minute that is kept."""
    newest: int | None = session.scalar(select(func.max(metrics.c.minute_ms)))
    return newest
