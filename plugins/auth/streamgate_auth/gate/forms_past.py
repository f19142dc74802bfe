"""What goes in and out below `/api/v1/gates`: invitations and past decisions."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.contracts.auth import GateCheckAnswer
from streamgate.contracts.gate import Outcome
from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import parse_rfc3339, rfc3339
from streamgate_auth.gate.invitations import MadeInvitation
from streamgate_auth.gate.leaves.invitation import is_campaign
from streamgate_auth.gate.past import Replayed
from streamgate_auth.gate.repository_decisions import DecisionRecord
from streamgate_auth.gate.repository_invitations import InvitationRecord

MAX_CODES = 1000
MAX_USES = 1_000_000
_at_most = attrs.validators.max_len
_optional = attrs.validators.optional


def _is_time(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None:
        parse_rfc3339(value)


@attrs.frozen(kw_only=True)
class Scope:
    """Either of a content or of a collection."""

    content_id: str | None = attrs.field(default=None, validator=_optional(_at_most(40)))
    collection_id: str | None = attrs.field(default=None, validator=_optional(_at_most(40)))

    @property
    def scope_id(self) -> str:
        """Raises Invalid: 422."""
        if (self.content_id is None) == (self.collection_id is None):
            fault = FieldError("content_id", "must be given, or else collection_id, and not both")
            raise Invalid(f"{fault.field} {fault.message}", errors=(fault,))
        if self.collection_id is not None and not self.collection_id.startswith("g_"):
            fault = FieldError("collection_id", "must be the id of a collection: g_ and 22 letters or digits")
            raise Invalid(f"{fault.field} {fault.message}", errors=(fault,))
        return self.content_id or self.collection_id or ""


@attrs.frozen(kw_only=True)
class NewInvitationsBody(Scope):
    """`count` codes for this campaign, each good for so many people (`uses`) until `expires_at`; null: for ever."""

    campaign: str = attrs.field(validator=is_campaign)
    count: int = attrs.field(default=1, validator=[attrs.validators.ge(1), attrs.validators.le(MAX_CODES)])
    uses: int = attrs.field(default=1, validator=[attrs.validators.ge(1), attrs.validators.le(MAX_USES)])
    expires_at: str | None = attrs.field(default=None, validator=_is_time)


@attrs.frozen(kw_only=True)
class InvitationItem:
    """`used`: how many people have redeemed it. Nobody is shown the code again."""

    invitation_id: str
    campaign: str
    uses: int
    used: int
    created_at: str
    expires_at: str | None
    revoked_at: str | None

    @classmethod
    def of(cls, record: InvitationRecord) -> InvitationItem:
        return cls(**_shown(record))


@attrs.frozen(kw_only=True)
class MadeInvitationItem(InvitationItem):
    """`code` is shown this once."""

    code: str

    @classmethod
    def made(cls, made: MadeInvitation) -> MadeInvitationItem:
        return cls(**_shown(made.record), code=made.code)


@attrs.frozen(kw_only=True)
class MadeInvitations:
    """`warnings`: what you may not have meant."""

    items: tuple[MadeInvitationItem, ...]
    warnings: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class InvitationsQuery(Scope):
    """`campaign` "": of all. `limit` 1 to 200."""

    campaign: str = ""
    limit: int = attrs.field(default=50, validator=[attrs.validators.ge(1), attrs.validators.le(200)])
    cursor: str = attrs.field(default="", validator=_at_most(512))


@attrs.frozen(kw_only=True)
class InvitationsListed:
    """The newest first."""

    items: tuple[InvitationItem, ...]
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class InvitationPath:
    invitation_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class RedeemBody:
    """In any case, with or without its dashes."""

    code: str = attrs.field(validator=[attrs.validators.min_len(1), _at_most(100)])


@attrs.frozen(kw_only=True)
class RedeemAnswer:
    """What you are invited to: a content, or a collection of them."""

    campaign: str
    content_id: str | None
    collection_id: str | None

    @classmethod
    def of(cls, record: InvitationRecord) -> RedeemAnswer:
        is_collection = record.scope_id.startswith("g_")
        return cls(
            campaign=record.campaign,
            content_id=None if is_collection else record.scope_id,
            collection_id=record.scope_id if is_collection else None,
        )


# --- decisions --------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class DecisionsQuery:
    """`user`: a user id. `limit` 1 to 200."""

    content_id: str
    user: str = attrs.field(default="", validator=_at_most(40))
    outcome: Literal["", "holds", "does_not_hold", "unknown"] = ""
    limit: int = attrs.field(default=50, validator=[attrs.validators.ge(1), attrs.validators.le(200)])
    cursor: str = attrs.field(default="", validator=_at_most(512))


@attrs.frozen(kw_only=True)
class DecisionItem:
    """`user_id` and `address` are empty where nobody was signed in. `basis`: `rule`, or what decided without it.
    `explanation`: all of it."""

    decision_id: str
    content_id: str
    user_id: str
    address: str
    gate_revision: int
    outcome: Outcome
    basis: str
    max_height_px: int | None
    at: str
    explanation: dict[str, Any]

    @classmethod
    def of(cls, record: DecisionRecord) -> DecisionItem:
        return cls(
            decision_id=record.decision_id,
            content_id=record.content_id,
            user_id=record.user_id,
            address=record.address,
            gate_revision=record.revision,
            outcome=record.outcome,
            basis=record.basis,
            max_height_px=record.max_height_px,
            at=rfc3339(record.at_ms),
            explanation=record.explanation,
        )


@attrs.frozen(kw_only=True)
class DecisionsListed:
    """The newest first."""

    items: tuple[DecisionItem, ...]
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class DecisionPath:
    decision_id: str = attrs.field(validator=_at_most(40))


@attrs.frozen(kw_only=True)
class ReplayAnswer:
    """`again`: what the gate as it was then says of what was read then; null where no rule was asked (`basis`), or
    that revision is not kept. `same`: whether it is what was recorded. `now`: what today's gate says today."""

    decision: DecisionItem
    again: GateCheckAnswer | None
    same: bool
    now: GateCheckAnswer

    @classmethod
    def of(cls, replayed: Replayed) -> ReplayAnswer:
        return cls(
            decision=DecisionItem.of(replayed.record), again=replayed.again, same=replayed.is_same, now=replayed.now
        )


def _shown(record: InvitationRecord) -> dict[str, Any]:
    return {
        "invitation_id": record.invitation_id,
        "campaign": record.campaign,
        "uses": record.uses,
        "used": record.used,
        "created_at": rfc3339(record.created_at_ms),
        "expires_at": None if record.expires_at_ms is None else rfc3339(record.expires_at_ms),
        "revoked_at": None if record.revoked_at_ms is None else rfc3339(record.revoked_at_ms),
    }
