"""What contract wallets have accepted, asked again: at each refresh, and for each such wallet of the person.

A contract that changed its mind ends the sign-in that rests on it; a linked one counts for nothing until somebody
signs with it anew. While its chain cannot be read, a sign-in with it is not renewed: the access token runs to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set

import attrs
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import SignatureInvalid, WalletRefused
from streamgate.contracts.hooks import ContractProof
from streamgate.contracts.nft import ChainUnavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address
from streamgate_auth import repository
from streamgate_auth.accounts import wallet_name
from streamgate_auth.changed import tell_changed
from streamgate_auth.ending import Ending, note_ended
from streamgate_auth.evm.validator import Verdict
from streamgate_auth.repository_wallets import doubt_wallets, list_wallets
from streamgate_auth.roles import Lost, Roles
from streamgate_auth.schemes.contract_wallet import ContractWallets
from streamgate_auth.tables import SessionRow
from streamgate_auth.veto import BlockedWallets

DIGEST_BYTES = 32


@attrs.frozen(kw_only=True)
class _Word:
    """What a contract accepted; `is_own`: the sign-in that is to be renewed rests on it."""

    user_id: str
    address: Address
    chain: str
    proof: bytes = attrs.field(repr=False)
    is_own: bool


def to_bytes(proof: ContractProof | None) -> bytes | None:
    """As the tables keep it."""
    return None if proof is None else proof.digest + proof.signature


class ContractWords:
    """Args:
    changed: told whose wallets are others from now on.
    """

    def __init__(
        self,
        *,
        db: Database,
        contracts: ContractWallets,
        roles: Roles,
        blocked: BlockedWallets,
        ending: Ending,
        changed: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._changed = changed
        self._db = db
        self._contracts = contracts
        self._roles = roles
        self._blocked = blocked
        self._ending = ending
        self._clock = clock

    async def ask_again(self, session_id: str) -> frozenset[Address]:
        """The names of linked wallets that could not be asked now, which bring no roles this time.

        Raises:
            WalletRefused: 401, and the sign-in is over. ChainUnavailable: 503, nothing has changed.
        """
        words = await self._db.read(lambda session: self._load(session, session_id))
        if not words:
            return frozenset()
        said = await asyncio.gather(*(self._still_accepts(word) for word in words))
        refused = [word for word, yes in zip(words, said, strict=True) if yes is False]
        if refused:
            await self._take_back(refused)
        if any(word.is_own for word in refused):
            raise WalletRefused("the contract wallet no longer accepts the signature of this sign-in; sign in again")
        unknown = [word for word, yes in zip(words, said, strict=True) if yes is None]
        for word in unknown:
            if word.is_own:
                raise ChainUnavailable(
                    f"{word.chain} cannot say now whether the wallet still accepts this sign-in; nothing was used up, "
                    "try again",
                    retry_after_s=2,
                )
        return frozenset(wallet_name(word.address, word.chain) for word in unknown)

    def _load(self, session: Session, session_id: str) -> list[_Word]:
        sign_in = repository.running_sign_in(session, session_id, now_ms=self._clock.now_ms())
        if sign_in is None:
            return []
        found: dict[bytes, _Word] = {}
        for wallet in list_wallets(session, [sign_in.user_id]).get(sign_in.user_id, ()):
            if wallet.proof is not None and wallet.doubted_at_ms is None:
                found[wallet.proof] = _Word(
                    user_id=sign_in.user_id,
                    address=wallet.address,
                    chain=wallet.chain,
                    proof=wallet.proof,
                    is_own=False,
                )
        if sign_in.proof is not None:
            found[sign_in.proof] = _Word(
                user_id=sign_in.user_id,
                address=sign_in.address,
                chain=sign_in.chain,
                proof=sign_in.proof,
                is_own=True,
            )
        return list(found.values())

    async def _still_accepts(self, word: _Word) -> bool | None:
        """None: not known now."""
        proof = ContractProof(digest=word.proof[:DIGEST_BYTES], signature=word.proof[DIGEST_BYTES:])
        try:
            return await self._contracts.ask(word.address, word.chain, proof) is Verdict.ACCEPTED
        except ChainUnavailable as fault:
            logger.bind(chain=word.chain, reason=fault.detail).warning("contract wallet not to be asked")
            return None
        except SignatureInvalid:
            return False

    async def _take_back(self, words: Sequence[_Word]) -> None:
        """`words` are of one person."""
        user_id, proofs, now_ms = words[0].user_id, [word.proof for word in words], self._clock.now_ms()
        who = Actor(kind="user", user_id=user_id)

        def write(session: Session) -> tuple[Lost, Set[str]]:
            barred = self._blocked.remember(session, user_id)
            had = self._roles.of_person(session, user_id)
            for name in doubt_wallets(session, user_id, proofs, now_ms=now_ms):
                audit(session, "auth.wallet_doubted", on=f"user:{user_id}", actor=who, detail={"wallet": name})
            of_them = (SessionRow.user_id == user_id) & SessionRow.proof.in_(proofs)
            ended = [
                one.session_id for one in repository.end_sign_ins(session, of_them, "wallet_refused", now_ms=now_ms)
            ]
            for session_id in ended:
                on, code = f"session:{session_id}", WalletRefused.code
                audit(session, "auth.wallet_refused", on=on, outcome="refused", actor=who, code=code)
            note_ended(session, ended, user_id, "revoked")
            tell_changed(session, user_id, [user_id], now_ms=now_ms)
            lost = self._roles.end_lost(session, who, user_id, had, now_ms)
            return attrs.evolve(lost, ended=(*ended, *lost.ended)), barred

        told, barred = await self._db.write(write)
        self._blocked.bar(barred)
        self._changed(user_id)
        await self._ending.tell(told.ended, people=told.people)
