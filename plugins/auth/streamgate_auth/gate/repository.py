"""Auth's queries on gates. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import select
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Rule
from streamgate.sdk.db import insert_into
from streamgate_auth.tables import GateRow


@attrs.frozen(kw_only=True)
class GateRecord:
    """`rule` None: removed."""

    content_id: str
    rule: Rule | None
    revision: int


def load_gates(session: Session, content_ids: Sequence[str]) -> dict[str, GateRecord]:
    """By content; those that never had a gate are left out."""
    rows = session.scalars(select(GateRow).where(GateRow.content_id.in_(content_ids)))
    return {row.content_id: _record(row) for row in rows}


def save_gate(session: Session, content_id: str, rule: Rule | None, *, by: str, now_ms: int) -> GateRecord:
    """Stores a rule under the next revision."""
    values = {"rule": rule, "updated_at_ms": now_ms, "updated_by": by}
    statement = (
        insert_into(session, GateRow)
        .values(content_id=content_id, revision=1, **values)
        .on_conflict_do_update(index_elements=["content_id"], set_={**values, "revision": GateRow.revision + 1})
        .returning(GateRow.revision)
    )
    return GateRecord(content_id=content_id, rule=rule, revision=session.scalars(statement).one())


def _record(row: GateRow) -> GateRecord:
    return GateRecord(content_id=row.content_id, rule=row.rule, revision=row.revision)
