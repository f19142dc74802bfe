"""Auth's queries on address lists and proofs. Functions of a session; none commits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import groupby

import attrs
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_auth.gate.tables import AddressListPartRow, AddressListRow, AddressProofRow, GateRefRow

ADDRESS_BYTES = 20


@attrs.frozen(kw_only=True)
class ListRecord:
    list_id: str
    owner: str
    name: str
    root: str
    size: int
    created_at_ms: int


def root_ref(root: str) -> str:
    """How a gate's naming of a root is kept."""
    return f"root:{root}"


def pack(addresses: Sequence[bytes]) -> Mapping[int, bytes]:
    """Addresses in order, by their first byte."""
    return {first: b"".join(group) for first, group in groupby(addresses, key=lambda address: address[0])}


def save_list(session: Session, record: ListRecord, parts: Mapping[int, bytes], *, at_most: int) -> ListRecord | None:
    """The list; the one that its owner has with this root already; None where there are too many."""
    found = session.scalar(
        select(AddressListRow).where(AddressListRow.owner == record.owner, AddressListRow.root == record.root)
    )
    if found is not None:
        return _record(found)
    count = session.scalar(select(func.count()).select_from(AddressListRow).where(AddressListRow.owner == record.owner))
    if (count or 0) >= at_most:
        return None
    inserted = session.scalar(
        insert_into(session, AddressListRow)
        .values(**attrs.asdict(record))
        .on_conflict_do_nothing()
        .returning(AddressListRow.list_id)
    )
    if inserted is None:  # the same list from the same owner at the same moment
        return save_list(session, record, parts, at_most=at_most)
    rows = [{"root": record.root, "first_byte": first, "packed": packed} for first, packed in parts.items()]
    session.execute(insert_into(session, AddressListPartRow).values(rows).on_conflict_do_nothing())
    return record


def find_list(session: Session, list_id: str) -> ListRecord | None:
    row = session.get(AddressListRow, list_id)
    return None if row is None else _record(row)


def lists_of(session: Session, owner: str) -> list[ListRecord]:
    """The newest first."""
    rows = session.scalars(
        select(AddressListRow)
        .where(AddressListRow.owner == owner)
        .order_by(AddressListRow.created_at_ms.desc(), AddressListRow.list_id)
    )
    return [_record(row) for row in rows]


def remove_list(session: Session, record: ListRecord) -> bool:
    """False: it is the last with its root, and a gate names that."""
    others = session.scalar(
        select(func.count())
        .select_from(AddressListRow)
        .where(AddressListRow.root == record.root, AddressListRow.list_id != record.list_id)
    )
    if not others:
        if is_named(session, record.root):
            return False
        session.execute(delete(AddressListPartRow).where(AddressListPartRow.root == record.root))
    session.execute(delete(AddressListRow).where(AddressListRow.list_id == record.list_id))
    return True


def is_named(session: Session, root: str) -> bool:
    """Whether any gate names this root."""
    return session.scalar(select(GateRefRow.holder).where(GateRefRow.ref == root_ref(root)).limit(1)) is not None


def is_known_root(session: Session, root: str, *, hold: bool = False) -> bool:
    """Whether the addresses of this root are stored. `hold`: and stay so until the transaction ends."""
    statement = select(AddressListRow.list_id).where(AddressListRow.root == root).limit(1)
    return session.scalar(statement.with_for_update() if hold else statement) is not None


def save_proof(session: Session, root: str, address: str, *, now_ms: int) -> None:
    session.execute(
        insert_into(session, AddressProofRow)
        .values(root=root, address=address, proven_at_ms=now_ms)
        .on_conflict_do_nothing()
    )


def listed_among(session: Session, root: str, wallets: Sequence[str]) -> str | None:
    """The first of these EVM wallets that is on the list of this root, or was proven to be."""
    if not wallets:
        return None
    raw = {wallet: bytes.fromhex(wallet[2:]) for wallet in wallets}
    firsts = {address[0] for address in raw.values()}
    rows = session.scalars(
        select(AddressListPartRow).where(AddressListPartRow.root == root, AddressListPartRow.first_byte.in_(firsts))
    )
    parts = {row.first_byte: row.packed for row in rows}
    for wallet, address in raw.items():
        if _is_in(parts.get(address[0], b""), address):
            return wallet
    proven = set(
        session.scalars(
            select(AddressProofRow.address).where(AddressProofRow.root == root, AddressProofRow.address.in_(wallets))
        )
    )
    return next((wallet for wallet in wallets if wallet in proven), None)


def _is_in(packed: bytes, address: bytes) -> bool:
    def nth(index: int) -> bytes:
        return packed[index * ADDRESS_BYTES : (index + 1) * ADDRESS_BYTES]

    at = bisect_left(range(len(packed) // ADDRESS_BYTES), address, key=nth)
    return nth(at) == address


def _record(row: AddressListRow) -> ListRecord:
    return ListRecord(
        list_id=row.list_id,
        owner=row.owner,
        name=row.name,
        root=row.root,
        size=row.size,
        created_at_ms=row.created_at_ms,
    )
