"""Auth's queries on collections of contents that share a gate. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Rule
from streamgate_auth.gate.tables import CollectionRow, GateRefRow


@attrs.frozen(kw_only=True)
class CollectionRecord:
    collection_id: str
    owner: str
    name: str
    rule: Rule
    warnings: tuple[str, ...]
    revision: int
    created_at_ms: int
    updated_at_ms: int


def collection_ref(collection_id: str) -> str:
    """How a gate's naming of a collection is kept."""
    return f"collection:{collection_id}"


def load_collections(session: Session, collection_ids: Sequence[str]) -> dict[str, CollectionRecord]:
    """Those that are there."""
    if not collection_ids:
        return {}
    rows = session.scalars(select(CollectionRow).where(CollectionRow.collection_id.in_(collection_ids)))
    return {row.collection_id: _record(row) for row in rows}


def hold_collections(session: Session, collection_ids: Sequence[str]) -> dict[str, CollectionRecord]:
    """As `load_collections`; they stay as they are until the transaction ends."""
    rows = session.scalars(
        select(CollectionRow)
        .where(CollectionRow.collection_id.in_(collection_ids))
        .order_by(CollectionRow.collection_id)
        .with_for_update()
    )
    return {row.collection_id: _record(row) for row in rows}


def collections_of(session: Session, owner: str) -> list[CollectionRecord]:
    """The newest first."""
    rows = session.scalars(
        select(CollectionRow)
        .where(CollectionRow.owner == owner)
        .order_by(CollectionRow.created_at_ms.desc(), CollectionRow.collection_id)
    )
    return [_record(row) for row in rows]


def count_collections(session: Session, owner: str) -> int:
    return session.scalar(select(func.count()).select_from(CollectionRow).where(CollectionRow.owner == owner)) or 0


def add_collection(session: Session, record: CollectionRecord) -> None:
    session.add(CollectionRow(**{**attrs.asdict(record), "warnings": list(record.warnings)}))
    session.flush()


def change_collection(session: Session, record: CollectionRecord) -> None:
    """All of it but its owner and when it was made."""
    values = attrs.asdict(record) | {"warnings": list(record.warnings)}
    kept = ("collection_id", "owner", "created_at_ms")
    session.execute(
        update(CollectionRow)
        .where(CollectionRow.collection_id == record.collection_id)
        .values({name: value for name, value in values.items() if name not in kept})
    )


def remove_collection(session: Session, collection_id: str) -> None:
    session.execute(delete(CollectionRow).where(CollectionRow.collection_id == collection_id))


def users_of(session: Session, collection_id: str, *, limit: int) -> Sequence[str]:
    """Contents whose gates name it."""
    statement = select(GateRefRow.holder).where(GateRefRow.ref == collection_ref(collection_id))
    return session.scalars(statement.order_by(GateRefRow.holder).limit(limit)).all()


def _record(row: CollectionRow) -> CollectionRecord:
    return CollectionRecord(
        collection_id=row.collection_id,
        owner=row.owner,
        name=row.name,
        rule=row.rule,
        warnings=tuple(row.warnings),
        revision=row.revision,
        created_at_ms=row.created_at_ms,
        updated_at_ms=row.updated_at_ms,
    )
