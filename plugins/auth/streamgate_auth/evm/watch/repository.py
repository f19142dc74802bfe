"""The watcher's queries. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate_auth.evm.watch.tables import WatchedBlockRow, WatchedChainRow, WatchedContractRow
from streamgate_auth.gate.repository import TOKEN_REF
from streamgate_auth.gate.tables import GateRefRow

KEPT_BLOCKS = 128
"""So many steps back a branch is found again."""


@attrs.frozen(kw_only=True)
class Place:
    """A block on a branch."""

    number: int
    hash: str


@attrs.frozen(kw_only=True)
class Following:
    """How far a chain has been followed. `contracts`: from which block on all logs of each are known."""

    place: Place
    rewinds: int
    version: int
    contracts: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Told:
    """A place where the following stood; `moved`: the people who were told, by contract."""

    place: Place
    moved: Mapping[str, Sequence[str]]


def load_following(session: Session, chain: str) -> Following | None:
    row = session.get(WatchedChainRow, chain)
    if row is None:
        return None
    return Following(
        place=Place(number=row.block_number, hash=row.block_hash),
        rewinds=row.rewinds,
        version=row.contracts_version,
        contracts=load_contracts(session, chain),
    )


def load_contracts(session: Session, chain: str) -> dict[str, int]:
    found = select(WatchedContractRow.contract, WatchedContractRow.since_block).where(WatchedContractRow.chain == chain)
    return {row.contract: row.since_block for row in session.execute(found)}


def save_following(session: Session, chain: str, before: Following | None, after: Following) -> None:
    """Of the contracts, what differs."""
    values = {
        "block_number": after.place.number,
        "block_hash": after.place.hash,
        "rewinds": after.rewinds,
        "contracts_version": after.version,
    }
    statement = insert_into(session, WatchedChainRow).values(chain=chain, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["chain"], set_=values))
    known = {} if before is None else before.contracts
    changed = [contract for contract, since in after.contracts.items() if known.get(contract) != since]
    gone = [*changed, *(contract for contract in known if contract not in after.contracts)]
    for contract in gone:
        session.execute(
            delete(WatchedContractRow).where(WatchedContractRow.chain == chain, WatchedContractRow.contract == contract)
        )
    if changed:
        rows = [{"chain": chain, "contract": each, "since_block": after.contracts[each]} for each in changed]
        session.execute(insert(WatchedContractRow), rows)


def add_told(session: Session, chain: str, told: Told) -> None:
    """Keeps it, and of the older ones as many as are needed to find the way back."""
    row = {"chain": chain, "number": told.place.number, "hash": told.place.hash, "moved": dict(told.moved)}
    session.execute(insert(WatchedBlockRow), row)
    oldest = session.scalar(
        select(WatchedBlockRow.number)
        .where(WatchedBlockRow.chain == chain)
        .order_by(WatchedBlockRow.number.desc())
        .offset(KEPT_BLOCKS)
        .limit(1)
    )
    if oldest is not None:
        session.execute(delete(WatchedBlockRow).where(WatchedBlockRow.chain == chain, WatchedBlockRow.number <= oldest))


def load_told(session: Session, chain: str) -> list[Told]:
    """The newest first."""
    rows = session.scalars(
        select(WatchedBlockRow).where(WatchedBlockRow.chain == chain).order_by(WatchedBlockRow.number.desc())
    )
    return [Told(place=Place(number=row.number, hash=row.hash), moved=row.moved) for row in rows]


def forget_told(session: Session, chain: str, *, above: int) -> None:
    session.execute(delete(WatchedBlockRow).where(WatchedBlockRow.chain == chain, WatchedBlockRow.number > above))


def named_contracts(session: Session) -> dict[str, frozenset[str]]:
    """By chain, the contracts (as in `leaf_keys`) that stored gates name, their collections' gates among them."""
    refs = session.scalars(select(GateRefRow.ref).where(GateRefRow.ref.startswith(TOKEN_REF)).distinct())
    return _by_chain(ref.removeprefix(TOKEN_REF) for ref in refs)


def _by_chain(leaf_keys: Iterable[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for key in leaf_keys:
        chain, _, contract = key.partition("/")
        found.setdefault(chain, set()).add(contract)
    return {chain: frozenset(contracts) for chain, contracts in found.items()}
