"""Auth's queries on gates. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from streamgate.contracts.events import GATE_CHANGED, GateChanged
from streamgate.contracts.gate import Rule
from streamgate.sdk.db import emit, insert_into
from streamgate_auth.gate.repository_collections import CollectionRecord, collection_ref, load_collections
from streamgate_auth.gate.tables import GateRefRow, GateRevisionRow
from streamgate_auth.tables import GateRow

REVISIONS_KEPT = 500
TOKEN_REF = "token:"  # noqa: S105 - no secret
"""Before the leaf key of a token: how a gate's naming of it is kept, for those who follow the chains."""
MAX_REF_CHARS = 100


@attrs.frozen(kw_only=True)
class GateRecord:
    """`rule`: the document, or None where it was removed. `warnings`: what the kinds said when it was set."""

    content_id: str
    rule: Rule | None
    revision: int
    warnings: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class PastGate:
    """A gate at one of its revisions; `collections`: the gates of those that it named then."""

    rule: Rule | None
    collections: Mapping[str, Rule]


def load_gates(session: Session, content_ids: Sequence[str]) -> dict[str, GateRecord]:
    """By content; those that never had a gate are left out."""
    rows = session.scalars(select(GateRow).where(GateRow.content_id.in_(content_ids)))
    return {row.content_id: _record(row) for row in rows}


def save_gate(
    session: Session,
    content_id: str,
    rule: Rule | None,
    *,
    by: str,
    now_ms: int,
    refs: Iterable[str] = (),
    warnings: Sequence[str] = (),
) -> GateRecord:
    """Stores a rule under the next revision, keeps that revision, and tells who must know."""
    values = {"rule": rule, "updated_at_ms": now_ms, "updated_by": by, "warnings": list(warnings)}
    statement = (
        insert_into(session, GateRow)
        .values(content_id=content_id, revision=1, **values)
        .on_conflict_do_update(index_elements=["content_id"], set_={**values, "revision": GateRow.revision + 1})
        .returning(GateRow.revision)
    )
    revision = session.scalars(statement).one()
    save_refs(session, content_id, refs)
    record = GateRecord(content_id=content_id, rule=rule, revision=revision, warnings=tuple(warnings))
    _changed(session, record, by=by, now_ms=now_ms)
    return record


def note_warnings(session: Session, record: GateRecord, warnings: Sequence[str]) -> GateRecord:
    """What is to be said of a rule may change while it does not: that is no new revision."""
    if record.warnings != tuple(warnings):
        row = update(GateRow).where(GateRow.content_id == record.content_id)
        session.execute(row.values(warnings=list(warnings)))
    return attrs.evolve(record, warnings=tuple(warnings))


def touch_gates(session: Session, collection_id: str, *, by: str, now_ms: int) -> list[GateRecord]:
    """The next revision of each gate that names a collection, whose own gate has just changed."""
    users = select(GateRefRow.holder).where(GateRefRow.ref == collection_ref(collection_id))
    rows = session.scalars(
        update(GateRow)
        .where(GateRow.content_id.in_(users))
        .values(revision=GateRow.revision + 1, updated_at_ms=now_ms, updated_by=by)
        .returning(GateRow)
        .execution_options(populate_existing=True)
    )
    records = [_record(row) for row in rows]
    for record in records:
        _changed(session, record, by=by, now_ms=now_ms)
    return records


def save_refs(session: Session, holder: str, refs: Iterable[str]) -> None:
    """What a gate names from now on."""
    session.execute(delete(GateRefRow).where(GateRefRow.holder == holder))
    rows = [{"holder": holder, "ref": ref} for ref in dict.fromkeys(refs)]
    if rows:
        session.execute(insert(GateRefRow), rows)


def load_revision(session: Session, content_id: str, revision: int) -> PastGate | None:
    """None: it is not kept."""
    row = session.get(GateRevisionRow, (content_id, revision))
    if row is None:
        return None
    return PastGate(rule=row.document, collections={name: each["gate"] for name, each in row.collections.items()})


def _changed(session: Session, record: GateRecord, *, by: str, now_ms: int) -> None:
    named = [] if record.rule is None else _refs(session, record.content_id)
    collections = load_collections(session, [ref.partition(":")[2] for ref in named if ref.startswith("collection:")])
    session.add(
        GateRevisionRow(
            content_id=record.content_id,
            revision=record.revision,
            document=record.rule,
            collections={name: _shown(each) for name, each in collections.items()},
            made_at_ms=now_ms,
            made_by=by,
        )
    )
    session.flush()
    oldest = record.revision - REVISIONS_KEPT
    session.execute(
        delete(GateRevisionRow).where(
            GateRevisionRow.content_id == record.content_id, GateRevisionRow.revision <= oldest
        )
    )
    changed = GateChanged(subject_id=record.content_id, revision=record.revision, has_gate=record.rule is not None)
    emit(session, GATE_CHANGED, changed)


def _refs(session: Session, holder: str) -> Sequence[str]:
    return session.scalars(select(GateRefRow.ref).where(GateRefRow.holder == holder)).all()


def _shown(collection: CollectionRecord) -> dict[str, Any]:
    return {"name": collection.name, "gate": collection.rule}


def _record(row: GateRow) -> GateRecord:
    return GateRecord(
        content_id=row.content_id, rule=row.rule, revision=row.revision, warnings=tuple(row.warnings or ())
    )
