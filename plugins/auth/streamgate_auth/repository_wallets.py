"""Auth's queries on people and their wallets. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs
from sqlalchemy import ColumnElement, case, delete, func, select, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.evm import Address
from streamgate.sdk.ids import new_id
from streamgate_auth.accounts import namespace_of
from streamgate_auth.tables import UserRow, WalletRow


@attrs.frozen(kw_only=True)
class LinkedWallet:
    namespace: str
    address: Address
    linked_at_ms: int


def ensure_user(session: Session, address: Address, *, now_ms: int) -> str:
    """The person a wallet belongs to; a wallet never seen is a new person."""
    known = _owner(session, address)
    if known is not None:
        return known
    linked = _insert(session, address, new_id("p"), now_ms)
    if linked is None:  # signed in with the same new wallet at the same moment, elsewhere
        return session.scalars(select(WalletRow.user_id).where(*_is(address))).one()
    session.add(UserRow(user_id=linked, created_at_ms=now_ms, primary_address=None))
    return linked


def link_wallet(
    session: Session, user_id: str, address: Address, *, now_ms: int, at_most: int
) -> Literal["linked", "already", "taken", "full", "gone"]:
    """Gives a wallet to a person, unless it is somebody's."""
    if session.scalar(select(UserRow.user_id).where(UserRow.user_id == user_id).with_for_update()) is None:
        return "gone"
    owner = _owner(session, address)
    if owner is not None:
        return "already" if owner == user_id else "taken"
    if _count(session, user_id) >= at_most:
        return "full"
    return "linked" if _insert(session, address, user_id, now_ms) is not None else "taken"


def unlink_wallet(session: Session, user_id: str, address: Address) -> Literal["unlinked", "unknown", "last"]:
    """The row of the person is held meanwhile: of two that unlink the last two wallets, one is refused."""
    session.scalar(select(UserRow.user_id).where(UserRow.user_id == user_id).with_for_update())
    if _owner(session, address) != user_id:
        return "unknown"
    if _count(session, user_id) <= 1:
        return "last"
    session.execute(delete(WalletRow).where(*_is(address)))
    return "unlinked"


def set_primary(session: Session, user_id: str, address: Address) -> bool:
    """False: it is not their wallet."""
    if _owner(session, address) != user_id:
        return False
    session.execute(update(UserRow).where(UserRow.user_id == user_id).values(primary_address=address))
    return True


def list_wallets(session: Session, user_ids: Sequence[str]) -> dict[str, tuple[LinkedWallet, ...]]:
    """The wallets of several people: the primary one first, then the oldest; people without any are left out."""
    found: dict[str, tuple[LinkedWallet, ...]] = {}
    rows = session.execute(
        select(WalletRow.user_id, WalletRow.namespace, WalletRow.address, WalletRow.linked_at_ms)
        .join(UserRow, UserRow.user_id == WalletRow.user_id)
        .where(WalletRow.user_id.in_(user_ids))
        .order_by(
            case((UserRow.primary_address == WalletRow.address, 0), else_=1), WalletRow.linked_at_ms, WalletRow.address
        )
    )
    for user_id, namespace, address, linked_at_ms in rows:
        wallet = LinkedWallet(namespace=namespace, address=Address(address), linked_at_ms=linked_at_ms)
        found[user_id] = (*found.get(user_id, ()), wallet)
    return found


def load_wallets(session: Session, user_ids: Sequence[str]) -> dict[str, tuple[Address, ...]]:
    """Their addresses alone, in the same order."""
    listed = list_wallets(session, user_ids)
    return {user_id: tuple(wallet.address for wallet in wallets) for user_id, wallets in listed.items()}


def _is(address: Address) -> tuple[ColumnElement[bool], ...]:
    return WalletRow.namespace == namespace_of(address), WalletRow.address == address


def _owner(session: Session, address: Address) -> str | None:
    found: str | None = session.scalar(select(WalletRow.user_id).where(*_is(address)))
    return found


def _count(session: Session, user_id: str) -> int:
    return session.scalar(select(func.count()).select_from(WalletRow).where(WalletRow.user_id == user_id)) or 0


def _insert(session: Session, address: Address, user_id: str, now_ms: int) -> str | None:
    """None: somebody was faster."""
    linked: str | None = session.scalar(
        insert_into(session, WalletRow)
        .values(namespace=namespace_of(address), address=address, user_id=user_id, linked_at_ms=now_ms)
        .on_conflict_do_nothing()
        .returning(WalletRow.user_id)
    )
    return linked
