"""Auth's queries on people and their wallets. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import attrs
from sqlalchemy import ColumnElement, bindparam, case, delete, func, select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.evm import Address
from streamgate.sdk.ids import new_id
from streamgate_auth.accounts import namespace_of, wallet_name
from streamgate_auth.tables import UserRow, WalletRow, table_of

_WALLETS = table_of(WalletRow).c
_OWNER = select(_WALLETS.user_id).where(
    *(_WALLETS[name] == bindparam(name) for name in ("namespace", "address", "chain"))
)
"""Whose a wallet is, made once: to make a statement is most of the work of asking it."""


@attrs.frozen(kw_only=True)
class ProvenWallet:
    """A wallet that has just signed. `chain`, `proof`: of a contract, which is itself on that chain alone, and what it
    accepted; "" and None of a key."""

    address: Address
    chain: str = ""
    proof: bytes | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class LinkedWallet:
    """`chain`: of a contract wallet, or "". `doubted_at_ms`: since when it counts for nothing, as the contract took
    back what it had accepted."""

    namespace: str
    address: Address
    linked_at_ms: int
    chain: str = ""
    proof: bytes | None = attrs.field(default=None, repr=False)
    doubted_at_ms: int | None = None

    @property
    def name(self) -> Address:
        """What gates and roles know it by (`accounts.wallet_name`)."""
        return wallet_name(self.address, self.chain)


def ensure_user(session: Session, wallet: ProvenWallet, *, now_ms: int) -> str:
    """The person a wallet belongs to; a wallet never seen is a new person."""
    known = _owner(session, wallet)
    if known is not None:
        _renew_proof(session, wallet)
        return known
    linked = _insert(session, wallet, new_id("p"), now_ms)
    if linked is None:  # signed in with the same new wallet at the same moment, elsewhere
        return session.scalars(select(WalletRow.user_id).where(*_is(wallet.address, wallet.chain))).one()
    session.add(UserRow(user_id=linked, created_at_ms=now_ms, primary_address=None))
    return linked


def link_wallet(
    session: Session, user_id: str, wallet: ProvenWallet, *, now_ms: int, at_most: int
) -> Literal["linked", "already", "taken", "full", "gone"]:
    """Gives a wallet to a person, unless it is somebody's."""
    if session.scalar(select(UserRow.user_id).where(UserRow.user_id == user_id).with_for_update()) is None:
        return "gone"
    owner = _owner(session, wallet)
    if owner == user_id:
        _renew_proof(session, wallet)
        return "already"
    if owner is not None:
        return "taken"
    if _count(session, user_id) >= at_most:
        return "full"
    return "linked" if _insert(session, wallet, user_id, now_ms) is not None else "taken"


def find_wallet(session: Session, user_id: str, address: Address, chain: str | None) -> LinkedWallet | None:
    """One of a person's wallets, as they name it: with a chain the contract there, or else the key; without one the
    key, or else the only contract of that address."""
    found = [each for each in list_wallets(session, [user_id]).get(user_id, ()) if each.address == address]
    by_chain = {each.chain: each for each in found}
    exact = by_chain.get(chain or "") or by_chain.get("")
    if exact is not None or chain is not None:
        return exact
    return found[0] if len(found) == 1 else None


def unlink_wallet(
    session: Session, user_id: str, address: Address, chain: str | None
) -> LinkedWallet | Literal["unknown", "last"]:
    """The wallet that was unlinked. The row of the person is held meanwhile: of two that unlink the last two wallets,
    one is refused."""
    session.scalar(select(UserRow.user_id).where(UserRow.user_id == user_id).with_for_update())
    wallet = find_wallet(session, user_id, address, chain)
    if wallet is None:
        return "unknown"
    if _count(session, user_id) <= 1:
        return "last"
    session.execute(delete(WalletRow).where(*_is(wallet.address, wallet.chain)))
    return wallet


def set_primary(session: Session, user_id: str, address: Address, chain: str | None) -> bool:
    """False: it is not their wallet."""
    if find_wallet(session, user_id, address, chain) is None:
        return False
    session.execute(update(UserRow).where(UserRow.user_id == user_id).values(primary_address=address))
    return True


def doubt_wallets(session: Session, user_id: str, proofs: Iterable[bytes], *, now_ms: int) -> list[Address]:
    """The names of a person's contract wallets that no longer accept what is kept of them. From now on they count for
    nothing."""
    rows = session.scalars(
        update(WalletRow)
        .where(WalletRow.user_id == user_id, WalletRow.proof.in_(list(proofs)), WalletRow.doubted_at_ms.is_(None))
        .values(doubted_at_ms=now_ms)
        .returning(WalletRow)
    )
    return [wallet_name(Address(row.address), row.chain) for row in rows]


def list_wallets(session: Session, user_ids: Sequence[str]) -> dict[str, tuple[LinkedWallet, ...]]:
    """The wallets of several people: the primary one first, then the oldest; people without any are left out."""
    found: dict[str, tuple[LinkedWallet, ...]] = {}
    columns = (WalletRow.namespace, WalletRow.address, WalletRow.linked_at_ms, WalletRow.chain, WalletRow.proof)
    rows = session.execute(
        select(WalletRow.user_id, *columns, WalletRow.doubted_at_ms)
        .join(UserRow, UserRow.user_id == WalletRow.user_id)
        .where(WalletRow.user_id.in_(user_ids))
        .order_by(
            case((UserRow.primary_address == WalletRow.address, 0), else_=1), WalletRow.linked_at_ms, WalletRow.address
        )
    )
    for user_id, namespace, address, linked_at_ms, chain, proof, doubted_at_ms in rows:
        wallet = LinkedWallet(
            namespace=namespace,
            address=Address(address),
            linked_at_ms=linked_at_ms,
            chain=chain,
            proof=proof,
            doubted_at_ms=doubted_at_ms,
        )
        found[user_id] = (*found.get(user_id, ()), wallet)
    return found


def people_at(session: Session, addresses: Iterable[str]) -> set[str]:
    """Who has linked one of these: a key, or a contract on whichever chain."""
    named = list(addresses)
    spaces = {namespace_of(address) for address in named}
    asked = select(WalletRow.user_id).where(WalletRow.namespace.in_(spaces), WalletRow.address.in_(named))
    return set(session.scalars(asked))


def load_wallets(session: Session, user_ids: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    """What their wallets go by where gates and roles ask (`accounts.wallet_name`), in the same order; those in doubt
    are left out."""
    listed = list_wallets(session, user_ids)
    return {
        user_id: tuple(wallet.name for wallet in wallets if wallet.doubted_at_ms is None)
        for user_id, wallets in listed.items()
    }


def _is(address: Address, chain: str) -> tuple[ColumnElement[bool], ...]:
    return WalletRow.namespace == namespace_of(address), WalletRow.address == address, WalletRow.chain == chain


def _owner(session: Session, wallet: ProvenWallet) -> str | None:
    which = {"namespace": namespace_of(wallet.address), "address": wallet.address, "chain": wallet.chain}
    found: str | None = session.scalar(_OWNER, which)
    return found


def _count(session: Session, user_id: str) -> int:
    return session.scalar(select(func.count()).select_from(WalletRow).where(WalletRow.user_id == user_id)) or 0


def _renew_proof(session: Session, wallet: ProvenWallet) -> None:
    if wallet.proof is not None:
        renewed = update(WalletRow).where(*_is(wallet.address, wallet.chain))
        session.execute(renewed.values(proof=wallet.proof, doubted_at_ms=None))


def _insert(session: Session, wallet: ProvenWallet, user_id: str, now_ms: int) -> str | None:
    """None: somebody was faster."""
    linked: str | None = session.scalar(
        insert_into(session, WalletRow)
        .values(
            namespace=namespace_of(wallet.address),
            address=wallet.address,
            chain=wallet.chain,
            user_id=user_id,
            linked_at_ms=now_ms,
            proof=wallet.proof,
        )
        .on_conflict_do_nothing()
        .returning(WalletRow.user_id)
    )
    return linked
