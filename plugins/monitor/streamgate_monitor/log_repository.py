"""Log lines in the database. Functions of a session; they commit nothing."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from streamgate.contracts.logs import LogLine
from streamgate_monitor.paging import Window, rows_in
from streamgate_monitor.tables import logs
from streamgate_monitor.texts import storable, storable_fields

RANKS = {"DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
_LEVELS = {rank: level for level, rank in RANKS.items()}
MAX_WORDS = 4_000


@attrs.frozen(kw_only=True)
class LogQuestion:
    """Lines that fit all that is given, newest first. `level`: that and worse. `q`: words of the event or a field, all
    of which must be there."""

    level: str = ""
    service: str = ""
    request_id: str = ""
    trace_id: str = ""
    q: str = ""
    window: Window


@attrs.frozen
class StoredLine:
    seq: int
    instance: str
    line: LogLine


def add(session: Session, instance: str, lines: Sequence[LogLine]) -> None:
    rows = [
        {
            "at_ms": line.at_ms,
            "level": RANKS.get(line.level, RANKS["INFO"]),
            "event": storable(line.event),
            "service": storable(line.service[:100]),
            "instance": storable(instance[:200]),
            "request_id": storable(line.request_id[:64]),
            "trace_id": storable(line.trace_id[:32]),
            "fields": storable_fields(line.fields),
            "words": storable(" ".join((line.event, *line.fields.values())).lower()[:MAX_WORDS]),
        }
        for line in lines
    ]
    if rows:
        session.execute(insert(logs), rows)


def find(session: Session, question: LogQuestion) -> list[StoredLine]:
    query = rows_in(
        logs,
        question.window,
        service=question.service,
        request_id=question.request_id,
        trace_id=question.trace_id,
    )
    if question.level:
        query = query.where(logs.c.level >= RANKS[question.level])
    for word in storable(question.q.lower()).split():
        query = query.where(logs.c.words.contains(word, autoescape=True))
    return [
        StoredLine(
            row.seq,
            row.instance,
            LogLine(
                at_ms=row.at_ms,
                level=_LEVELS[row.level],
                event=row.event,
                service=row.service,
                request_id=row.request_id,
                trace_id=row.trace_id,
                fields=row.fields,
            ),
        )
        for row in session.execute(query)
    ]


def newest_at_ms(session: Session) -> int:
    """When the newest line was said; 0 where there is none."""
    return session.scalar(select(func.max(logs.c.at_ms))) or 0


def forget_beyond(session: Session, lines: int, most: int) -> bool:
    """Forgets what is older than the newest `lines`, at most `most` at once; whether there may be more of it."""
    first, last = session.execute(select(func.min(logs.c.seq), func.max(logs.c.seq))).one()
    if last is None or first > last - lines:
        return False
    session.execute(delete(logs).where(logs.c.seq <= min(last - lines, first + most - 1)))
    return True
