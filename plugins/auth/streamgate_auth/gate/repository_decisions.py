"""Auth's queries on the log of decisions. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Outcome
from streamgate_auth.gate.tables import DecisionRow


@attrs.frozen(kw_only=True)
class DecisionRecord:
    """As `DecisionRow`; explanation and readings are plain JSON."""

    decision_id: str
    content_id: str
    user_id: str
    address: str
    revision: int
    outcome: Outcome
    basis: str
    max_height_px: int | None
    at_ms: int
    explanation: dict[str, Any]
    readings: dict[str, Any]


def add_decisions(session: Session, records: Sequence[DecisionRecord]) -> None:
    session.execute(insert(DecisionRow), [attrs.asdict(record, recurse=False) for record in records])


def find_decision(session: Session, decision_id: str) -> DecisionRecord | None:
    row = session.get(DecisionRow, decision_id)
    return None if row is None else _record(row)


def list_decisions(
    session: Session,
    content_id: str,
    *,
    user_id: str = "",
    outcome: str = "",
    before: tuple[int, str] | None = None,
    limit: int,
) -> list[DecisionRecord]:
    """The newest first, after the place `before`."""
    statement = select(DecisionRow).where(DecisionRow.content_id == content_id)
    if user_id:
        statement = statement.where(DecisionRow.user_id == user_id)
    if outcome:
        statement = statement.where(DecisionRow.outcome == outcome)
    if before is not None:
        statement = statement.where(tuple_(DecisionRow.at_ms, DecisionRow.decision_id) < before)
    ordered = statement.order_by(DecisionRow.at_ms.desc(), DecisionRow.decision_id.desc())
    return [_record(row) for row in session.scalars(ordered.limit(limit))]


def forget_decisions(session: Session, *, before_ms: int, limit: int) -> int:
    """The oldest of those made before then; how many."""
    old = select(DecisionRow.decision_id).where(DecisionRow.at_ms < before_ms).order_by(DecisionRow.at_ms).limit(limit)
    gone = session.scalars(
        delete(DecisionRow)
        .where(DecisionRow.decision_id.in_(old))
        .returning(DecisionRow.decision_id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


def _record(row: DecisionRow) -> DecisionRecord:
    outcome: Any = row.outcome
    return DecisionRecord(
        decision_id=row.decision_id,
        content_id=row.content_id,
        user_id=row.user_id,
        address=row.address,
        revision=row.revision,
        outcome=outcome,
        basis=row.basis,
        max_height_px=row.max_height_px,
        at_ms=row.at_ms,
        explanation=row.explanation,
        readings=row.readings,
    )
