"""Auth: who somebody is (challenges, sessions, keys) and what their tokens open (gates)."""

from __future__ import annotations

import hashlib
from typing import Any, Literal, Protocol

import attrs

from streamgate import errors
from streamgate.context import Actor
from streamgate.contracts.gate import Explanation, Outcome, RenditionExplained, Rule
from streamgate.errors import Conflict, Forbidden, Invalid, NotFound, Unauthorized
from streamgate.events import Topic
from streamgate.services import ServiceRef, method

ACCESS_AUDIENCE = "streamgate:access"
ACCESS_TYPE = "at+jwt"  # the token's `typ` header (RFC 9068)
SIGNING_ALGORITHM = "EdDSA"  # the one algorithm, Ed25519; a token that names another is refused

TokenInvalid = errors.TokenInvalid
TokenExpired = errors.TokenExpired
KeyInvalid = errors.KeyInvalid
AuthUnavailable = errors.AuthUnavailable


class SignatureInvalid(Unauthorized):
    code, title = "auth.signature_invalid", "The signature does not fit the message"


class ChallengeUsed(Unauthorized):
    code, title = "auth.challenge_used", "The challenge was used already"


class ChallengeExpired(Unauthorized):
    code, title = "auth.challenge_expired", "The challenge has expired"


class ChallengeInvalid(Unauthorized):
    code, title = "auth.challenge_invalid", "Not a challenge of this server"


class MessageMismatch(Unauthorized):
    code, title = "auth.message_mismatch", "The signed message is not the one that was asked for"


class RefreshReused(Unauthorized):
    """The whole family of tokens is revoked with it."""

    code, title = "auth.refresh_reused", "The refresh token was used before"


class WalletRefused(Unauthorized):
    """A contract wallet no longer accepts what the sign-in was made with; the whole family of tokens is revoked."""

    code, title = "auth.wallet_refused", "The contract wallet takes its word back"


class KeyNotAllowed(Forbidden):
    """API keys never manage keys, wallets or sign-ins, and do no more than their scopes say."""

    code, title = "auth.key_not_allowed", "An API key may not do this"


class ProofRefused(Invalid):
    """To a signed-in person, whose own sign-in is good: `extra["reason"]` is the code that signing in would fail with
    (`auth.signature_invalid`, `auth.challenge_used`, …)."""

    code, title = "auth.proof_refused", "It is not proven that the wallet is yours"


class WalletTaken(Conflict):
    code, title = "auth.wallet_taken", "The wallet belongs to another account"


class LastAdmin(Conflict):
    code, title = "auth.last_admin", "The last administrator stays"


class RoleNotGranted(NotFound):
    code, title = "auth.role_not_granted", "Nothing was granted to this wallet"


class LastWallet(Conflict):
    code, title = "auth.last_wallet", "The only wallet of an account stays"


class WalletNotFound(NotFound):
    code, title = "auth.wallet_not_found", "No such wallet of yours"


class SignInNotFound(NotFound):
    code, title = "auth.session_not_found", "No such sign-in of yours"


class KeyNotFound(NotFound):
    code, title = "auth.key_not_found", "No such API key of yours"


class TooManyOfYours(Conflict):
    """Wallets or API keys of one account."""

    code, title = "auth.too_many", "The account has as many as it may"


class SchemeUnknown(Invalid):
    code, title, field = "auth.scheme_unknown", "No such way to sign for this kind of address", "scheme"


class AddressInvalid(Invalid):
    code, title, field = "auth.address_invalid", "Not an address", "address"


class ChainUnknown(Invalid):
    code, title, field = "auth.chain_unknown", "This chain is not configured", "chain"


@attrs.frozen(kw_only=True)
class KeySet:
    """JWKS: public keys only (`{"keys": [...]}`)."""

    keys: tuple[dict[str, Any], ...]


@attrs.frozen(kw_only=True)
class ConfiguredChains:
    """CAIP-2 ids of the chains the operator has configured, never where they are read."""

    chains: tuple[str, ...]


@attrs.frozen(kw_only=True)
class DecideQuery:
    """May this actor watch this content? Decided only from the stored rule.

    Args:
        min_block: per CAIP-2 chain, the block the answer must have seen at least.
        max_age_s: what auth has kept for longer is read again: a lease that counts from the read would be over, or
            nearly so. None: kept answers serve as long as they are good.
        min_revision: of the gate: by no older one is anything decided, also where auth has kept it. Where it cannot
            read such a new one, the outcome is `unknown`.
    """

    content_id: str
    actor: Actor
    min_block: dict[str, int] = attrs.field(factory=dict)
    max_age_s: float | None = None
    min_revision: int = 0


@attrs.frozen(kw_only=True)
class Decision:
    """May they watch, and since when that is known.

    Args:
        read_at_s: Unix time just before the oldest chain read it rests on; the time of the decision for what
            rests on none. The caller relies on `holds` until `read_at_s` + its own lease, and never serves past it.
        grace_until_s: Unix time to which a *running* session may go on although the outcome is `unknown`
            (the operator's policy); 0 when no grace is given, and with every other outcome.
        leaf_keys: `<caip2>/<contract, lower case>` of each token leaf.
        tokens: the tokens that opened it, where they can be told apart (`<caip2>/<contract>/<token id>`), or the share
            of a wallet that several people may rest on; as in `Reading`.
        preview_s: with `does_not_hold` alone: the first seconds of the content are free all the same; 0: nothing is.
        max_height_px: renditions above it stay shut (a rule of their own does not hold); None: all are open.
        valid_until_s: Unix time at which time alone may make it another answer: nothing is served past it, neither by a
            lease nor by a grace, before it was asked again. None: there is no such moment.
    """

    outcome: Outcome
    is_public: bool
    explanation: Explanation
    read_at_s: float
    grace_until_s: float = 0.0
    gate_revision: int
    leaf_keys: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    preview_s: float = 0.0
    max_height_px: int | None = None
    valid_until_s: float | None = None


@attrs.frozen(kw_only=True)
class DecideMany:
    queries: tuple[DecideQuery, ...]  # at most 200


@attrs.frozen(kw_only=True)
class Decisions:
    """In the order of the queries."""

    decisions: tuple[Decision, ...]


@attrs.frozen(kw_only=True)
class GateQuery:
    content_id: str


@attrs.frozen(kw_only=True)
class StoredGate:
    """`gate` is None when there is none: private to the owner."""

    content_id: str
    gate: Rule | None
    revision: int
    warnings: tuple[str, ...] = ()
    text: str = ""  # the rule in words


@attrs.frozen(kw_only=True)
class SetGate:
    """`gate` None removes it. The caller has checked that `actor` may change the content."""

    content_id: str
    actor: Actor
    gate: Rule | None


@attrs.frozen(kw_only=True)
class GateDraft:
    """A rule that nobody has stored."""

    gate: Rule


@attrs.frozen(kw_only=True)
class GateCheck:
    """Explains, deciding nothing: for the actor's own wallets, or for `address` (owner only)."""

    content_id: str
    actor: Actor
    address: str | None = None


@attrs.frozen(kw_only=True)
class GateCheckAnswer:
    """`renditions`, `max_height_px`, `preview_s`: what the rules of a policy document say besides."""

    outcome: Outcome
    explanation: Explanation
    renditions: tuple[RenditionExplained, ...] = ()
    max_height_px: int | None = None
    preview_s: float = 0.0


# --- API keys, revocation, wallets ----------------------------------------------------------------------

KeyScope = Literal["read", "upload", "admin"]
"""What an API key may do of what its person may:

read     ask: GET, and POSTs that change nothing
upload   besides, change what is theirs to change, as a creator where they are one
admin    everything that person's roles allow
"""

API_KEY_PREFIX = "sgk_"


def api_key_digest(api_key: str) -> str:
    """What is kept and sent of a key: SHA-256, hex. The key has 256 random bits, so no salt and no slow hash."""
    return hashlib.sha256(api_key.encode()).hexdigest()


@attrs.frozen(kw_only=True)
class ApiKeyQuery:
    """`digest`: of the key (`api_key_digest`); the key itself travels no further than to who was shown it."""

    digest: str


@attrs.frozen(kw_only=True)
class VerifiedApiKey:
    """`actor` None: unknown, revoked or expired. `expires_at_ms`: 0 for never."""

    actor: Actor | None
    expires_at_ms: int = 0


@attrs.frozen(kw_only=True)
class Revoked:
    """Sign-ins (`a_…`) and API keys (`k_…`) that are over; forget them after `until_ms`, when no access token of
    theirs lives any more. `people`: whose roles are others now; what is kept of their API keys is asked for anew."""

    credentials: tuple[str, ...]
    until_ms: int
    people: tuple[str, ...] = ()


AUTH_REVOKED = Topic("auth.revoked", Revoked)
"""Told right after the commit; who missed it asks `recently_revoked`."""


@attrs.frozen(kw_only=True)
class WalletsQuery:
    user_ids: tuple[str, ...]  # at most 200


@attrs.frozen(kw_only=True)
class AddressesQuery:
    addresses: tuple[str, ...]  # at most 200, each in its one form: checksummed (EVM) or base58 (Solana)


@attrs.frozen(kw_only=True)
class LinkedWallets:
    """Of one person, the primary one first, then the oldest. Checksummed (EVM) or base58 (Solana)."""

    user_id: str
    addresses: tuple[str, ...]


@attrs.frozen(kw_only=True)
class WalletsAnswer:
    """In the order of the question; who is unknown has none."""

    people: tuple[LinkedWallets, ...]


class Accounts(Protocol):
    """What every process asks of people's accounts, beside the key set."""

    @method(timeout_s=3, idempotent=True)
    async def verify_api_key(self, query: ApiKeyQuery) -> VerifiedApiKey:
        """Who acts with this key, with what its scopes leave of their roles. Callers keep a yes for 10 s at most."""

    @method(timeout_s=3, idempotent=True)
    async def recently_revoked(self) -> Revoked:
        """Every credential revoked within the life of an access token."""

    @method(timeout_s=3, idempotent=True)
    async def wallets_of(self, query: WalletsQuery) -> WalletsAnswer:
        """For `owner_address`, the first of each, shown to those who are signed in."""

    @method(timeout_s=3, idempotent=True)
    async def who_has(self, query: AddressesQuery) -> WalletsAnswer:
        """Who has linked one of these, a key or a contract on whichever chain; each person once, with all their
        wallets, those in doubt among them."""


class Auth(Protocol):
    @method(timeout_s=3, idempotent=True)
    async def jwks(self) -> KeySet: ...

    @method(timeout_s=3, idempotent=True)
    async def configured_chains(self) -> ConfiguredChains: ...

    @method(timeout_s=10, idempotent=True)
    async def decide(self, query: DecideQuery) -> Decision:
        """Never raises for a chain that cannot be read, nor for metadata being away: the outcome is `unknown`. A
        content without a gate is open to its owner and moderators alone; owners and moderators always hold; of an
        unknown or deleted content nobody does. The veto (`decide_playback`) has been asked."""

    @method(timeout_s=10, idempotent=True)
    async def decide_many(self, query: DecideMany) -> Decisions: ...

    @method(idempotent=True)
    async def get_gate(self, query: GateQuery) -> StoredGate: ...

    @method(idempotent=True)
    async def validate_gate(self, draft: GateDraft) -> None:
        """What `set_gate` would say of the rule itself: raises GateInvalid with the path of each fault. Stores
        nothing, and asks nothing of a content."""

    @method()
    async def set_gate(self, wanted: SetGate) -> StoredGate:
        """Raises GateInvalid with the path of each fault. Publishes `gate.changed`."""

    @method(timeout_s=8, idempotent=True)
    async def check_gate(self, query: GateCheck) -> GateCheckAnswer: ...


AUTH = ServiceRef("auth", Auth)
ACCOUNTS = ServiceRef("accounts", Accounts)
