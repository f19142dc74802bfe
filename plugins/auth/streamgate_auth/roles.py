"""Who may do what, by wallet: the lists an operator keeps, and what administrators grant. Asked at each sign-in and
refresh. Whoever loses a role is signed out at once, everywhere: tokens and running playbacks say what they were."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import LastAdmin, RoleNotGranted
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, DatabaseUnavailable
from streamgate.sdk.evm import Address
from streamgate_auth import repository
from streamgate_auth.accounts import parse_any_account, wallet_name
from streamgate_auth.config import AuthConfig
from streamgate_auth.ending import Ending, note_ended
from streamgate_auth.repository_api_keys import list_keys
from streamgate_auth.repository_roles import (
    RoleGrant,
    change_grants,
    load_grants,
    lock_admins,
    people_with,
    roles_of,
    roles_of_person,
)
from streamgate_auth.repository_wallets import LinkedWallet
from streamgate_auth.tables import SessionRow

Role = Literal["admin", "moderator", "creator"]
ROLES: tuple[Role, ...] = get_args(Role)
CONFIG = Actor(kind="service", user_id="config")
TRY_AGAIN_S = 5.0


@attrs.frozen
class _Told:
    """What must be told after a commit."""

    ended: list[str] = attrs.field(factory=list)
    people: list[str] = attrs.field(factory=list)


@attrs.frozen(kw_only=True)
class Lost:
    """Credentials that ended as a person lost roles, and that person; both empty where nothing was lost."""

    ended: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


class Roles:
    """Both kinds of list, in one table; a unit, which reads the operator's into it."""

    def __init__(self, config: AuthConfig, *, db: Database, ending: Ending, clock: Clock) -> None:
        self._config = config
        self._db = db
        self._ending = ending
        self._clock = clock
        self._reading: asyncio.Task[None] | None = None

    def of(self, session: Session, wallets: Sequence[LinkedWallet]) -> tuple[str, ...]:
        """The roles of somebody with these wallets: viewer, and what any one of them brings."""
        return self._with_open(roles_of(session, wallets))

    def of_person(self, session: Session, user_id: str, leave_out: Collection[Address] = ()) -> tuple[str, ...]:
        """The same of all their wallets. `leave_out`: names of wallets that bring nothing now."""
        return self._with_open(roles_of_person(session, user_id, leave_out))

    def end_lost(self, session: Session, actor: Actor, user_id: str, had: Collection[str], now_ms: int) -> Lost:
        """What follows when the wallets of a person have become fewer, in the same transaction: whoever has lost a role
        by it is signed out as if it had been taken from them. To be told after the commit.

        Args:
            had: what `of_person` said before.
        """
        lost = frozenset(had).difference(self.of_person(session, user_id))
        if not lost:
            return Lost()
        return Lost(ended=tuple(_sign_out(session, actor, user_id, lost, now_ms)), people=(user_id,))

    def _with_open(self, roles: Collection[str]) -> tuple[str, ...]:
        return tuple(sorted({*roles, "viewer", *(("creator",) if self._config.open_creators else ())}))

    # --- the operator's lists -------------------------------------------------------------------

    async def start(self) -> None:
        await self._read_lists()

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def take(self, config: AuthConfig) -> None:
        """New lists, read into the table a moment later."""
        self._config = config
        if self._reading is not None:
            self._reading.cancel()
        self._reading = asyncio.create_task(self._keep_reading())

    async def _keep_reading(self) -> None:
        while True:
            try:
                return await self._read_lists()
            except DatabaseUnavailable as fault:
                logger.bind(error=str(fault)).warning("new lists of roles wait for the database")
                await asyncio.sleep(TRY_AGAIN_S)

    async def _read_lists(self) -> None:
        now_ms = self._clock.now_ms()
        listed: Mapping[str, Sequence[str]] = {
            "admin": self._config.admins,
            "moderator": self._config.moderators,
            "creator": self._config.creators,
        }
        wanted = {
            grant.key: grant
            for role, accounts in listed.items()
            for grant in (_grant(account, role, source="config", now_ms=now_ms) for account in accounts)
        }

        def write(session: Session) -> _Told:
            known = {grant.key: grant for grant in load_grants(session) if grant.source == "config"}
            add = [grant for key, grant in wanted.items() if key not in known]
            remove = [grant for key, grant in known.items() if key not in wanted]
            return self._change(session, CONFIG, add, remove, now_ms)

        await self._tell(await self._db.write(write))

    # --- what administrators grant --------------------------------------------------------------

    async def listed(self) -> list[RoleGrant]:
        """In the order of the wallets."""
        return await self._db.read(load_grants)

    async def set(self, actor: Actor, account: str, roles: Sequence[Role]) -> list[RoleGrant]:
        """Makes these the roles that are granted to a wallet, whether or not anybody has signed in with it; what the
        configuration lists stays beside them. All that the wallet has then.

        Raises:
            AddressInvalid, ChainUnknown: 422. LastAdmin: 409.
        """
        now_ms = self._clock.now_ms()
        wanted = [_grant(account, role, source="granted", by=actor.user_id, now_ms=now_ms) for role in roles]
        return await self._replace(actor, account, wanted, now_ms)

    async def remove(self, actor: Actor, account: str) -> None:
        """Takes all that was granted from a wallet.

        Raises:
            AddressInvalid, ChainUnknown: 422. LastAdmin: 409.
            RoleNotGranted: 404, nothing was granted to it; what the configuration lists is changed there.
        """
        await self._replace(actor, account, [], self._clock.now_ms())

    async def _replace(self, actor: Actor, account: str, wanted: list[RoleGrant], now_ms: int) -> list[RoleGrant]:
        which = _grant(account, "", source="granted", now_ms=now_ms)
        name = wallet_name(which.address, which.chain)

        def write(session: Session) -> tuple[_Told, list[RoleGrant]]:
            admins = lock_admins(session)
            known = [grant for grant in _of(session, which) if grant.source == "granted"]
            kept = {grant.key for grant in wanted}
            remove = [grant for grant in known if grant.key not in kept]
            if not wanted and not known:
                raise RoleNotGranted(f"nothing is granted to {name}; roles from the configuration are changed there")
            if any(grant.role == "admin" for grant in remove):
                _require_other_admin(session, admins, remove)
            has = {grant.key for grant in known}
            told = self._change(session, actor, [g for g in wanted if g.key not in has], remove, now_ms)
            detail = {"roles": " ".join(sorted(grant.role for grant in wanted))}
            audit(session, "auth.roles_granted", on=f"wallet:{name}", actor=actor, detail=detail)
            return told, _of(session, which)

        told, left = await self._db.write(write)
        await self._tell(told)
        return left

    def _change(
        self, session: Session, actor: Actor, add: Sequence[RoleGrant], remove: Sequence[RoleGrant], now_ms: int
    ) -> _Told:
        told = _Told()
        for user_id, (lost, _) in change_grants(session, add=add, remove=remove).items():
            told.people.append(user_id)
            if lost:
                told.ended.extend(_sign_out(session, actor, user_id, lost, now_ms))
        return told

    async def _tell(self, told: _Told) -> None:
        await self._ending.tell(told.ended, people=told.people)


def _sign_out(session: Session, actor: Actor, user_id: str, lost: Collection[str], now_ms: int) -> list[str]:
    """Whoever loses a role is signed out: their tokens say it until they expire, and what they play was opened with it.
    Their API keys stay good, for what is left. The sign-ins that ended."""
    ended = [
        each.session_id
        for each in repository.end_sign_ins(session, SessionRow.user_id == user_id, "role_lost", now_ms=now_ms)
    ]
    keys = [key.key_id for key in list_keys(session, user_id, now_ms=now_ms)]
    note_ended(session, [*ended, *keys], user_id, "revoked")
    audit(session, "auth.roles_lost", on=f"user:{user_id}", actor=actor, detail={"lost": " ".join(sorted(lost))})
    return ended


def _grant(account: str, role: str, *, source: Literal["config", "granted"], now_ms: int, by: str = "") -> RoleGrant:
    """Raises AddressInvalid, ChainUnknown: 422."""
    parsed = parse_any_account(account)
    return RoleGrant(
        address=parsed.address,
        chain=parsed.chain or "",
        role=role,
        source=source,
        granted_by=by,
        granted_at_ms=now_ms,
    )


def _of(session: Session, which: RoleGrant) -> list[RoleGrant]:
    """What this very wallet has."""
    return [grant for grant in load_grants(session, [which.address]) if grant.chain == which.chain]


def _require_other_admin(session: Session, admins: Sequence[RoleGrant], removed: Sequence[RoleGrant]) -> None:
    """Raises LastAdmin. A grant to a wallet that nobody has signed in with is nobody."""
    gone = {grant.key for grant in removed}
    left = [grant for grant in admins if grant.key not in gone]
    if not any(grant.source == "config" or people_with(session, [grant]) for grant in left):
        raise LastAdmin(
            "this is the last administrator: grant the role to another person first, or list one in auth.admins"
        )
