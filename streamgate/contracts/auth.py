"""Auth: who somebody is (challenges, sessions, keys) and what their tokens open (gates)."""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from streamgate.context import Actor
from streamgate.contracts.gate import Explanation, Outcome, Rule
from streamgate.errors import Invalid, Unauthorized, Unavailable
from streamgate.services import ServiceRef, method

ACCESS_AUDIENCE = "streamgate:access"
ACCESS_TYPE = "at+jwt"  # the token's `typ` header (RFC 9068)
SIGNING_ALGORITHM = "EdDSA"  # the one algorithm, Ed25519; a token that names another is refused


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


class TokenInvalid(Unauthorized):
    code, title = "auth.token_invalid", "The token is not valid"


class TokenExpired(Unauthorized):
    code, title = "auth.token_expired", "The token has expired"


class RefreshReused(Unauthorized):
    """The whole family of tokens is revoked with it."""

    code, title = "auth.refresh_reused", "The refresh token was used before"


class AuthUnavailable(Unavailable):
    code, title = "auth.unavailable", "Sign-in cannot be checked now"


class AddressInvalid(Invalid):
    code, title = "auth.address_invalid", "Not an address"


class ChainUnknown(Invalid):
    code, title = "auth.chain_unknown", "This chain is not configured"


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

    `min_block`: per CAIP-2 chain, the block the answer must have seen at least.
    """

    content_id: str
    actor: Actor
    min_block: dict[str, int] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Decision:
    """May they watch, and since when that is known.

    Args:
        read_at_s: Unix time just before the oldest chain read it rests on; the time of the decision for what
            rests on none. The caller relies on `holds` until `read_at_s` + its own lease, and never serves past it.
        grace_until_s: Unix time to which a *running* session may go on although the outcome is `unknown`
            (the operator's policy); 0 when no grace is given, and with every other outcome.
        leaf_keys: `<caip2>/<contract, lower case>` of each token leaf.
    """

    outcome: Outcome
    is_public: bool
    explanation: Explanation
    read_at_s: float
    grace_until_s: float = 0.0
    gate_revision: int
    leaf_keys: tuple[str, ...] = ()


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
    outcome: Outcome
    explanation: Explanation


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
