"""Auth's queries on roles and whose they are. Functions of a session; none commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import attrs
from sqlalchemy import ColumnElement, bindparam, delete, or_, select
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.sdk.evm import Address
from streamgate_auth.accounts import wallet_name
from streamgate_auth.repository_wallets import LinkedWallet, list_wallets, people_at
from streamgate_auth.tables import RoleRow, WalletRow, table_of

Source = Literal["config", "granted"]


_ROLES, _WALLETS = table_of(RoleRow).c, table_of(WalletRow).c
_OF_PERSON = (
    select(_ROLES.role, _WALLETS.address, _WALLETS.chain)
    .join(table_of(WalletRow), _WALLETS.address == _ROLES.address)
    .where(
        _WALLETS.user_id == bindparam("person"),
        _WALLETS.doubted_at_ms.is_(None),
        or_(_WALLETS.chain == "", _WALLETS.chain == _ROLES.chain),  # as in `RoleGrant.fits`
    )
)


@attrs.frozen(kw_only=True)
class RoleGrant:
    """A role that a wallet brings its person. With a `chain` it is that of a key or of a contract there, without one
    that of a key alone: the same address may be somebody else's contract on any chain."""

    address: Address
    chain: str = ""
    role: str
    source: Source
    granted_by: str = ""
    granted_at_ms: int = 0

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.address, self.chain, self.role, self.source

    def fits(self, wallet: LinkedWallet) -> bool:
        return wallet.address == self.address and wallet.chain in ("", self.chain)


def load_grants(session: Session, addresses: Iterable[str] | None = None) -> list[RoleGrant]:
    """All of them, or those of some addresses; in the order of their wallets."""
    asked = select(RoleRow).order_by(RoleRow.address, RoleRow.chain, RoleRow.role, RoleRow.source)
    if addresses is not None:
        asked = asked.where(RoleRow.address.in_(list(addresses)))
    return [
        RoleGrant(
            address=Address(row.address),
            chain=row.chain,
            role=row.role,
            source="config" if row.source == "config" else "granted",
            granted_by=row.granted_by,
            granted_at_ms=row.granted_at_ms,
        )
        for row in session.scalars(asked)
    ]


def roles_of(session: Session, wallets: Sequence[LinkedWallet]) -> frozenset[str]:
    """What these wallets bring; those in doubt bring nothing."""
    sure = [wallet for wallet in wallets if wallet.doubted_at_ms is None]
    if not sure:
        return frozenset()
    grants = load_grants(session, {wallet.address for wallet in sure})
    return frozenset(grant.role for grant in grants if any(grant.fits(wallet) for wallet in sure))


def roles_of_person(session: Session, user_id: str, leave_out: Collection[Address] = ()) -> frozenset[str]:
    """What the wallets of a person bring, in one statement. `leave_out`: names of wallets that bring nothing now."""
    found = session.execute(_OF_PERSON, {"person": user_id})
    return frozenset(role for role, address, chain in found if wallet_name(address, chain) not in leave_out)


def change_grants(
    session: Session, *, add: Sequence[RoleGrant] = (), remove: Sequence[RoleGrant] = ()
) -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Writes them, and says whose roles are others now: user id to what was lost and what was won."""
    addresses = {grant.address for grant in (*add, *remove)}
    before = _by_person(session, addresses)
    for grant in remove:
        session.execute(delete(RoleRow).where(*_is(grant)))
    for grant in add:
        session.execute(insert_into(session, RoleRow).values(**attrs.asdict(grant)).on_conflict_do_nothing())
    after = _by_person(session, addresses)
    return {
        user_id: (had - after[user_id], after[user_id] - had)
        for user_id, had in before.items()
        if had != after[user_id]
    }


def lock_admins(session: Session) -> list[RoleGrant]:
    """The administrators there are. Their rows are held until the commit: of two who dismiss each other, the second
    sees what the first has done."""
    held = select(RoleRow.address).where(RoleRow.role == "admin").order_by(RoleRow.address, RoleRow.chain)
    session.execute(held.with_for_update()).all()
    return [grant for grant in load_grants(session) if grant.role == "admin"]


def people_with(session: Session, grants: Iterable[RoleGrant]) -> set[str]:
    """Whose wallets are at the addresses of these."""
    return people_at(session, {grant.address for grant in grants})


def _by_person(session: Session, addresses: Iterable[str]) -> dict[str, frozenset[str]]:
    people = people_at(session, addresses)
    listed = list_wallets(session, sorted(people))
    return {user_id: roles_of(session, listed.get(user_id, ())) for user_id in people}


def _is(grant: RoleGrant) -> tuple[ColumnElement[bool], ...]:
    return (
        RoleRow.address == grant.address,
        RoleRow.chain == grant.chain,
        RoleRow.role == grant.role,
        RoleRow.source == grant.source,
    )
