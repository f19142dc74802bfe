"""The wallets of an account: linked by a signature, unlinked, and the one it is shown by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

import attrs
from sqlalchemy import and_
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import (
    AddressesQuery,
    ChallengeUsed,
    LastWallet,
    LinkedWallets,
    ProofRefused,
    TooManyOfYours,
    WalletNotFound,
    WalletsAnswer,
    WalletsQuery,
    WalletTaken,
)
from streamgate.errors import Conflict, Unauthorized
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_auth import repository
from streamgate_auth.accounts import parse_any_account, wallet_name
from streamgate_auth.changed import tell_changed
from streamgate_auth.ending import Ending, note_ended
from streamgate_auth.proofs import Asked, Proofs
from streamgate_auth.repository_wallets import (
    LinkedWallet,
    find_wallet,
    link_wallet,
    list_wallets,
    people_at,
    set_primary,
    unlink_wallet,
)
from streamgate_auth.roles import Lost, Roles
from streamgate_auth.tables import SessionRow
from streamgate_auth.veto import BlockedWallets

MAX_WALLETS = 32


class Wallets:
    """What a signed-in person does with their own wallets.

    Args:
        changed: told whose wallets are others from now on.
    """

    def __init__(
        self,
        *,
        db: Database,
        proofs: Proofs,
        roles: Roles,
        blocked: BlockedWallets,
        ending: Ending,
        changed: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._changed = changed
        self._db = db
        self._proofs = proofs
        self._roles = roles
        self._blocked = blocked
        self._ending = ending
        self._clock = clock

    async def ask(
        self, actor: Actor, account: str, chain: str | None, scheme: str | None, *, browser: str = ""
    ) -> Asked:
        """What the other wallet signs to be linked: it names the account, and nobody signs in with it.

        Raises:
            AddressInvalid, ChainUnknown, SchemeUnknown: 422.
        """
        return await self._proofs.ask(account, chain, scheme, browser=browser, user_id=actor.user_id)

    async def link(
        self,
        actor: Actor,
        challenge_id: str,
        signature: str,
        message: str | None,
        *,
        browser: str = "",
        network: str = "",
    ) -> LinkedWallet:
        """Adds the wallet that signed. One that is linked already is told so without a fault.

        Raises:
            ProofRefused: 422, with the reason. Not 401, which says that one is not signed in oneself.
            WalletTaken: 409, it is somebody else's. TooManyOfYours: 409.
        """
        try:
            proven = await self._proofs.check(
                challenge_id, signature, message, browser=browser, user_id=actor.user_id, network=network
            )
        except Unauthorized as fault:
            raise _refused(fault) from fault
        challenge, now_ms = proven.challenge, self._clock.now_ms()

        def link(session: Session) -> LinkedWallet:
            expires_at_ms = challenge.expires_at_s * 1000
            if not repository.use_challenge(session, proven.fingerprint, expires_at_ms=expires_at_ms):
                raise _refused(ChallengeUsed("the challenge was used already; ask for a new one and sign that"))
            outcome = link_wallet(session, actor.user_id, proven.wallet, now_ms=now_ms, at_most=MAX_WALLETS)
            if outcome == "taken":
                raise WalletTaken("this wallet belongs to another account; unlink it there first")
            if outcome == "full":
                raise TooManyOfYours(f"an account has at most {MAX_WALLETS} wallets; unlink one first")
            if outcome == "gone":
                raise Conflict("this account has no wallets of its own to add to")
            if outcome == "linked":
                name = wallet_name(proven.wallet.address, proven.wallet.chain)
                detail = {"address": name, "scheme": challenge.scheme}
                audit(session, "auth.wallet_linked", on=f"user:{actor.user_id}", actor=actor, detail=detail)
                tell_changed(session, actor.user_id, [actor.user_id], now_ms=now_ms)
            linked = find_wallet(session, actor.user_id, proven.wallet.address, proven.wallet.chain)
            assert linked is not None  # it was there a line ago, in this transaction
            return linked

        linked = await self._db.write(link)
        self._changed(actor.user_id)
        return linked

    async def listed(self, actor: Actor) -> tuple[LinkedWallet, ...]:
        """The primary one first, then the oldest."""
        found = await self._db.read(lambda session: list_wallets(session, [actor.user_id]))
        return found.get(actor.user_id, ())

    async def unlink(self, actor: Actor, account: str) -> None:
        """Takes a wallet off the account, and ends the sign-ins that were made with it; all of them where the person
        loses a role by it.

        Raises:
            AddressInvalid: 422. WalletNotFound: 404. LastWallet: 409.
        """
        parsed, now_ms = parse_any_account(account), self._clock.now_ms()
        address = parsed.address

        def unlink(session: Session) -> tuple[Lost, Set[str]]:
            barred = self._blocked.remember(session, actor.user_id)
            had = self._roles.of_person(session, actor.user_id)
            outcome = unlink_wallet(session, actor.user_id, address, parsed.chain)
            if outcome == "unknown":
                raise WalletNotFound(f"{address} is not linked to your account")
            if outcome == "last":
                raise LastWallet("this is the only wallet of your account; link another one first")
            is_same = SessionRow.proof.is_(None) if not outcome.chain else SessionRow.chain == outcome.chain
            of_it = and_(SessionRow.user_id == actor.user_id, SessionRow.address == address, is_same)
            ended = [one.session_id for one in repository.end_sign_ins(session, of_it, "unlinked", now_ms=now_ms)]
            detail: dict[str, str] = {"address": outcome.name}
            audit(session, "auth.wallet_unlinked", on=f"user:{actor.user_id}", actor=actor, detail=detail)
            note_ended(session, ended, actor.user_id, "revoked")
            tell_changed(session, actor.user_id, [actor.user_id], now_ms=now_ms)
            lost = self._roles.end_lost(session, actor, actor.user_id, had, now_ms)
            return attrs.evolve(lost, ended=(*ended, *lost.ended)), barred

        told, barred = await self._db.write(unlink)
        self._blocked.bar(barred)
        self._changed(actor.user_id)
        await self._ending.tell(told.ended, people=told.people)

    async def make_primary(self, actor: Actor, account: str) -> None:
        """Raises AddressInvalid: 422. WalletNotFound: 404."""
        parsed = parse_any_account(account)
        address = parsed.address

        def choose(session: Session) -> None:
            if not set_primary(session, actor.user_id, address, parsed.chain):
                raise WalletNotFound(f"{address} is not linked to your account")
            detail: dict[str, str] = {"address": address}
            audit(session, "auth.primary_wallet_set", on=f"user:{actor.user_id}", actor=actor, detail=detail)

        await self._db.write(choose)

    async def of(self, query: WalletsQuery) -> WalletsAnswer:
        """The contract's `wallets_of`."""
        found = await self._db.read(lambda session: list_wallets(session, query.user_ids))
        return _answer(found, query.user_ids)

    async def who_has(self, query: AddressesQuery) -> WalletsAnswer:
        """The contract's `who_has`."""

        def look(session: Session) -> WalletsAnswer:
            user_ids = sorted(people_at(session, query.addresses))
            return _answer(list_wallets(session, user_ids), user_ids)

        return await self._db.read(look)


def _answer(found: Mapping[str, Sequence[LinkedWallet]], user_ids: Sequence[str]) -> WalletsAnswer:
    """In the order of `user_ids`."""
    return WalletsAnswer(
        people=tuple(
            LinkedWallets(user_id=user_id, addresses=tuple(each.address for each in found.get(user_id, ())))
            for user_id in user_ids
        )
    )


def _refused(fault: Unauthorized) -> ProofRefused:
    return ProofRefused(fault.detail, extra={"reason": fault.code})
