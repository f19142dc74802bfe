"""Asking for a proof that a wallet is somebody's, and checking it: the same rules whatever the scheme and purpose."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Sequence

import attrs

from streamgate.contracts.auth import ChainUnknown, ChallengeInvalid
from streamgate.contracts.hooks import ToSign
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import ChainId
from streamgate.sdk.solana import CHAINS as SOLANA_CHAINS
from streamgate_auth.accounts import EVM, Account, parse_any_account, parse_any_chain, require_of
from streamgate_auth.challenge import Challenge, ChallengeBook
from streamgate_auth.contract_words import to_bytes
from streamgate_auth.keys import KeyRing
from streamgate_auth.metrics import SIGN_INS
from streamgate_auth.origin import Origin
from streamgate_auth.repository_wallets import ProvenWallet
from streamgate_auth.schemes.collected import Schemes

DEFAULT_CHAIN = ChainId("eip155:1")
CHAINS_KEPT_S = 2.0  # the local chain comes and goes, and to ask for it costs more than a challenge


@attrs.frozen(kw_only=True)
class Asked:
    """A challenge handed out; `to_sign` goes to the wallet, byte for byte."""

    challenge_id: str
    challenge: Challenge
    to_sign: ToSign


@attrs.frozen(kw_only=True)
class Proven:
    """A challenge that was answered rightly, and by which wallet."""

    challenge: Challenge
    fingerprint: str
    wallet: ProvenWallet


class Proofs:
    """Args:
    origin: what is signed is bound to it.
    chains: the EVM chains a person may sign on, the default first; none means mainnet. On Solana any of its three:
        nothing is read there.
    """

    def __init__(
        self,
        *,
        keys: KeyRing,
        schemes: Schemes,
        origin: Origin,
        chains: Callable[[], Awaitable[Sequence[ChainId]]],
        clock: Clock,
    ) -> None:
        self._keys = keys
        self._schemes = schemes
        self.origin = origin
        self._chains = chains
        self._clock = clock
        self._known_chains: tuple[Sequence[ChainId], float] | None = None  # and since when

    async def ask(
        self, account: str, chain: str | None, scheme: str | None, *, browser: str = "", user_id: str = ""
    ) -> Asked:
        """What to sign, for an address or CAIP-10 account. Nothing is stored.

        Args:
            browser: its hash, which the answer must come with; "" for none.
            user_id: the account to link the wallet to; "" to sign in.

        Raises:
            AddressInvalid, ChainUnknown, SchemeUnknown: 422.
        """
        parsed = parse_any_account(account)
        wanted = await self._chain(parsed, chain)
        chosen = self._schemes.choose(scheme, parsed.namespace)
        challenge_id, challenge = self._book().issue(
            chosen.name, parsed.address, wanted, browser=browser, user_id=user_id
        )
        return Asked(challenge_id=challenge_id, challenge=challenge, to_sign=chosen.ask(challenge.facts(self.origin)))

    async def check(
        self,
        challenge_id: str,
        signature: str,
        message: str | None,
        *,
        browser: str = "",
        user_id: str = "",
        network: str = "",
    ) -> Proven:
        """The challenge that was answered rightly. It is not used up yet: whoever acts on it does that in the same
        transaction (`repository.use_challenge`). A wrong answer leaves it good.

        Raises:
            ChallengeInvalid, ChallengeExpired, MessageMismatch, SignatureInvalid: 401.
            ChainUnavailable: 503, a contract wallet's chain cannot be read now.
            TooMany: 429, chains were asked about too many signatures that are no key's.
        """
        opened = self._book().open(challenge_id)
        challenge = opened.challenge
        if challenge.browser and not hmac.compare_digest(challenge.browser, browser):
            raise ChallengeInvalid("the challenge was asked for by another browser; ask for one here")
        if challenge.user_id != user_id:
            raise ChallengeInvalid("the challenge was asked for another purpose or account; ask for a new one")
        facts = attrs.evolve(challenge.facts(self.origin), network=network)
        try:
            proof = await self._schemes.verify(challenge.scheme, facts, signature, message)
        except StreamgateError as fault:
            SIGN_INS.labels(scheme=challenge.scheme, outcome=fault.code).inc()
            raise
        chain = challenge.chain if proof is not None else ""
        wallet = ProvenWallet(address=challenge.address, chain=chain, proof=to_bytes(proof))
        return Proven(challenge=challenge, fingerprint=opened.fingerprint, wallet=wallet)

    async def _chain(self, account: Account, chain: str | None) -> str:
        allowed: Sequence[str] = SOLANA_CHAINS
        if account.namespace == EVM:
            allowed = await self._readable() or (DEFAULT_CHAIN,)
        wanted = parse_any_chain(chain) if chain is not None else (account.chain or allowed[0])
        require_of(wanted, account.namespace, f": use one of {', '.join(allowed)}")
        if account.chain not in (None, wanted):
            raise ChainUnknown(f"the account is on {account.chain}, but the chain asked for is {wanted}")
        if wanted not in allowed:
            raise ChainUnknown(f"sign-in on {wanted} is not configured; use one of {', '.join(allowed)}")
        return wanted

    async def _readable(self) -> Sequence[ChainId]:
        now_s = self._clock.monotonic_s()
        if self._known_chains is None or now_s - self._known_chains[1] >= CHAINS_KEPT_S:
            self._known_chains = await self._chains(), now_s
        return self._known_chains[0]

    def _book(self) -> ChallengeBook:
        return ChallengeBook(self._keys.keys.challenge, self._clock)
