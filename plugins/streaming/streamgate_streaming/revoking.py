"""Taking playback back: from one viewer of a content, from all of its viewers, from somebody or everybody here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import Accounts, AddressesQuery, LinkedWallets, WalletsQuery
from streamgate.contracts.metadata import AccessQuery, Metadata
from streamgate.contracts.streaming import PlaybackRevoked, RevocationUnknown
from streamgate.errors import Forbidden
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id

from . import revocation_repository as repository
from .addresses import comparable, parse_wallet
from .keeper import Keeper
from .revocation_repository import Scope, Viewer
from .tables import RevocationRow

REVOKED = "revoked"
By = Literal["owner", "server"]
"""Who takes playback back: who shared the content, or whoever runs the server. Never which person."""
ENDED_BY: dict[By, str] = {"owner": "ended_by_owner", "server": "ended_by_server"}
"""Why a session ended that may be opened again at once."""
_PAGE = 200


@attrs.frozen(kw_only=True)
class Revoked:
    """`revocation_id`, `until_ms`: of what refuses new sessions, where it does."""

    sessions_ended: int
    revocation_id: str | None = None
    until_ms: int | None = None


class Revoking:
    """Who may: the content's owner and moderators for a content, moderators for a person everywhere, administrators for
    everybody everywhere."""

    def __init__(self, db: Database, accounts: Accounts, metadata: Metadata, clock: Clock, keeper: Keeper) -> None:
        self._db = db
        self._accounts = accounts
        self._metadata = metadata
        self._clock = clock
        self._keeper = keeper

    async def revoke(self, actor: Actor, scope: Scope, *, for_s: float, reason: str) -> Revoked:
        """Ends what runs, in every replica, and for `for_s` seconds refuses what would be opened: by the people who are
        meant, and by whoever has a wallet that is theirs now.

        Raises:
            ContentNotFound, Forbidden, AddressInvalid, ChainUnknown.
            Unavailable: whose which wallets are cannot be asked; nothing has been done.
        """
        owner = await self._owner_if_allowed(actor, scope)
        reason_of_end = REVOKED if for_s else ENDED_BY[_by(actor.user_id, owner)]
        scope = attrs.evolve(scope, address=parse_wallet(scope.address) if scope.address else "")
        meant = await self._meant(scope, with_wallets=for_s > 0)
        people = {each.user_id for each in meant}
        wallets = {scope.address, *(address for each in meant for address in each.addresses)} - {""}
        now_ms = self._clock.now_ms()
        revocation_id, until_ms = new_id("r"), now_ms + round(for_s * 1000)

        def begin(session: Session) -> None:
            if for_s > 0:
                row = RevocationRow(
                    revocation_id=revocation_id,
                    content_id=scope.content_id,
                    user_id=scope.user_id,
                    address=scope.address,
                    until_ms=until_ms,
                    made_at_ms=now_ms,
                    made_by=actor.user_id,
                    reason=reason,
                )
                repository.add(session, row, {*people, *map(comparable, wallets)})
            detail = {"for_s": f"{for_s:g}", "user_id": scope.user_id, "address": scope.address, "reason": reason}
            told = {name: value for name, value in detail.items() if value}
            audit(session, "stream.revoked", on=_on(scope.content_id), detail=told)

        await self._db.write(begin)
        count = await self._end(scope, people, reason_of_end)
        if wallets and for_s > 0:  # who got one of them and came in while it was asked whose they are
            late = {each.user_id for each in await self._who_has(sorted(wallets))} - people
            count += await self._end(scope, late, reason_of_end)
        logger.bind(on=_on(scope.content_id), sessions=count).info("playback revoked")
        if not for_s:
            return Revoked(sessions_ended=count)
        return Revoked(sessions_ended=count, revocation_id=revocation_id, until_ms=until_ms)

    async def listed(self, actor: Actor, content_id: str, *, after_id: str, limit: int) -> list[RevocationRow]:
        """What is in force: of a content, or of the whole server; to whoever is no moderator what they made themselves.

        Raises:
            ContentNotFound, Forbidden.
        """
        if content_id:
            await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="change"))
        made_by = None if content_id or actor.is_moderator else actor.user_id
        find = partial(repository.in_force, content_id=content_id or None, made_by=made_by, after_id=after_id)
        return await self._db.read(partial(find, now_ms=self._clock.now_ms(), limit=limit))

    async def lift(self, actor: Actor, revocation_id: str) -> None:
        """From now on sessions may be opened again; those that ended stay so.

        Raises:
            RevocationUnknown: also one that is past, or of somebody else's content.
        """
        row = await self._db.read(lambda session: repository.find(session, revocation_id))
        if row is None or row.until_ms <= self._clock.now_ms():
            raise RevocationUnknown(f"nothing is revoked under {revocation_id}")
        scope = Scope(content_id=row.content_id, user_id=row.user_id, address=row.address)
        try:
            await self._owner_if_allowed(actor, scope)
        except Forbidden as fault:
            raise RevocationUnknown(f"nothing is revoked under {revocation_id}") from fault

        def remove(session: Session) -> None:
            if repository.remove(session, revocation_id):
                audit(session, "stream.revocation_lifted", on=_on(row.content_id), detail={"id": revocation_id})

        await self._db.write(remove)

    # --- while a session is opened ------------------------------------------------------------------

    async def wallets_of(self, user_id: str) -> tuple[str, ...]:
        """Raises Unavailable."""
        return (await self._accounts.wallets_of(WalletsQuery(user_ids=(user_id,)))).people[0].addresses

    # --- pieces -------------------------------------------------------------------------------------

    async def _owner_if_allowed(self, actor: Actor, scope: Scope) -> str:
        """Whose the content is; empty where it is about everything.

        Raises:
            ContentNotFound, Forbidden.
        """
        if scope.content_id:
            query = AccessQuery(content_id=scope.content_id, actor=actor, want="change")
            return (await self._metadata.get(query)).owner
        if scope.is_of_somebody and not actor.is_moderator:
            raise Forbidden("say of which content of yours: only moderators end somebody's playback everywhere")
        if not scope.is_of_somebody and "admin" not in actor.roles:
            raise Forbidden("only administrators end everybody's playback")
        return ""

    async def _meant(self, scope: Scope, *, with_wallets: bool) -> Sequence[LinkedWallets]:
        """Who is meant now, with all their wallets where these are asked for."""
        if scope.user_id and not with_wallets:
            return (LinkedWallets(user_id=scope.user_id, addresses=()),)
        if scope.user_id:
            return (await self._accounts.wallets_of(WalletsQuery(user_ids=(scope.user_id,)))).people
        return await self._who_has([scope.address]) if scope.address else ()

    async def _who_has(self, addresses: Sequence[str]) -> list[LinkedWallets]:
        found: list[LinkedWallets] = []
        for at in range(0, len(addresses), _PAGE):
            query = AddressesQuery(addresses=tuple(addresses[at : at + _PAGE]))
            found += (await self._accounts.who_has(query)).people
        return found

    async def _end(self, scope: Scope, people: Iterable[str], reason: str) -> int:
        """A page a transaction, so that others write in between."""
        whom = list(people)
        if scope.is_of_somebody and not whom:
            return 0
        end = partial(repository.end_within, scope=scope, people=whom, reason=reason, limit=_PAGE)
        count = 0
        while (ended := await self._db.write(partial(end, now_ms=self._clock.now_ms()))) is not None:
            for session_id in ended:
                self._keeper.live.end(session_id, reason)
            count += len(ended)
        return count


def raise_if_revoked(session: Session, content_id: str, owner: str, viewer: Viewer, now_ms: int) -> None:
    """`owner`: of the content. Raises PlaybackRevoked, WalletsWanted."""
    row = repository.find_against(session, content_id, viewer, now_ms)
    if row is not None:
        until = rfc3339(row.until_ms)
        whom = "you" if row.user_id or row.address else "everybody"
        raise PlaybackRevoked(
            f"playback was taken back from {whom} until {until}" + (f": {row.reason}" if row.reason else ""),
            extra={"until": until, "reason": row.reason, "by": _by(row.made_by, owner if row.content_id else "")},
        )


def _by(made_by: str, owner: str) -> By:
    return "owner" if owner and made_by == owner else "server"


def _on(content_id: str) -> str:
    return f"content:{content_id}" if content_id else "server:playback"
