"""The typed routes by which playback is taken back."""

from __future__ import annotations

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.streaming import RevocationUnknown
from streamgate.errors import AuthUnavailable, FieldError, Forbidden, Invalid
from streamgate.sdk.clock import rfc3339
from streamgate.sdk.texts import is_one_line
from streamgate.settings import Matches
from streamgate.web.routes import SIGNED_IN, Call, Route

from .addresses import parse_wallet
from .revocation_repository import Scope
from .revoking import Revoking
from .tables import RevocationRow

MAX_FOR_S = 315_360_000.0
_ID = Matches(r"[A-Za-z0-9_-]{0,64}", "must be an id: at most 64 letters, digits, - and _")
MAX_ADDRESS_CHARS = 128


@attrs.frozen(kw_only=True)
class RevokeBody:
    """Name a content, somebody (`user_id` or `address`, any wallet of theirs), both, or `everyone` on the server.
    An address may be an account (CAIP-10); whoever has it is meant, on whichever chain.
    `for_s`: new sessions are refused for so long (at most ten years); 0: what runs ends, and may be opened again.
    `reason` is shown to whom it concerns."""

    content_id: str = attrs.field(default="", validator=_ID)
    user_id: str = attrs.field(default="", validator=_ID)
    address: str = attrs.field(default="", validator=attrs.validators.max_len(MAX_ADDRESS_CHARS))
    everyone: bool = False
    for_s: float = attrs.field(
        default=0.0, validator=attrs.validators.and_(attrs.validators.ge(0.0), attrs.validators.le(MAX_FOR_S))
    )
    reason: str = attrs.field(default="", validator=attrs.validators.and_(attrs.validators.max_len(200), is_one_line))


@attrs.frozen(kw_only=True)
class RevokeAnswer:
    """`sessions_ended` at once, in every process. `revocation_id`, `until`: of what refuses new ones, if it does."""

    sessions_ended: int
    revocation_id: str | None
    until: str | None


@attrs.frozen(kw_only=True)
class RevocationsQuery:
    content_id: str = attrs.field(default="", validator=_ID)
    cursor: str = attrs.field(default="", validator=_ID)
    limit: int = attrs.field(
        default=50, validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(200))
    )


@attrs.frozen(kw_only=True)
class Revocation:
    """Of every content where `content_id` is null, of everybody where `user_id` and `address` are."""

    revocation_id: str
    content_id: str | None
    user_id: str | None
    address: str | None
    until: str
    made_at: str
    made_by: str
    reason: str


@attrs.frozen(kw_only=True)
class RevocationsListed:
    items: tuple[Revocation, ...]
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class RevocationPath:
    revocation_id: str


class RevokeRoutes:
    def __init__(self, revoking: Revoking) -> None:
        self._revoking = revoking

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/api/v1/stream/revoke",
                self.revoke,
                policy=SIGNED_IN,
                body=RevokeBody,
                answer=RevokeAnswer,
                summary="Take playback back",
                description="Of a content: its owner and moderators. Somebody's everywhere: moderators. Everybody's: "
                "administrators. Owners and moderators go on opening sessions where everybody is refused.",
                errors=(ContentNotFound, Forbidden, AuthUnavailable, AddressInvalid, ChainUnknown),
            ),
            Route(
                "GET",
                "/api/v1/stream/revocations",
                self.listed,
                policy=SIGNED_IN,
                query=RevocationsQuery,
                answer=RevocationsListed,
                summary="Who is kept from playback",
                description="Of a content: to its owner and moderators. Else to moderators all, to others their own.",
                errors=(ContentNotFound, Forbidden),
            ),
            Route(
                "DELETE",
                "/api/v1/stream/revocations/{revocation_id}",
                self.lift,
                policy=SIGNED_IN,
                query=RevocationPath,
                summary="Let somebody watch again",
                description="For whoever may revoke the same. Sessions that ended stay so.",
                errors=(RevocationUnknown, ContentNotFound),
            ),
        ]

    async def revoke(self, call: Call[RevokeBody, None]) -> RevokeAnswer:
        body = call.body
        _raise_unless_clear(body)
        scope = Scope(content_id=body.content_id, user_id=body.user_id, address=body.address)
        done = await self._revoking.revoke(call.actor, scope, for_s=body.for_s, reason=body.reason)
        return RevokeAnswer(
            sessions_ended=done.sessions_ended,
            revocation_id=done.revocation_id,
            until=None if done.until_ms is None else rfc3339(done.until_ms),
        )

    async def listed(self, call: Call[None, RevocationsQuery]) -> RevocationsListed:
        query = call.query
        rows = await self._revoking.listed(call.actor, query.content_id, after_id=query.cursor, limit=query.limit + 1)
        shown = rows[: query.limit]
        return RevocationsListed(
            items=tuple(_revocation(row) for row in shown),
            next_cursor=shown[-1].revocation_id if len(rows) > len(shown) else None,
        )

    async def lift(self, call: Call[None, RevocationPath]) -> None:
        await self._revoking.lift(call.actor, call.query.revocation_id)


def _raise_unless_clear(body: RevokeBody) -> None:
    """Everybody's playback is never ended by a field that was left out."""
    errors = []
    if body.user_id and body.address:
        errors.append(FieldError("address", "is given beside user_id: name one of the two"))
    names_some = bool(body.content_id or body.user_id or body.address)
    if body.everyone and names_some:
        errors.append(FieldError("everyone", "is given beside what it includes: leave one out"))
    if not body.everyone and not names_some:
        errors.append(FieldError("content_id", "is missing: name a content, somebody, or say everyone"))
    if errors:
        raise Invalid("it is not clear whose playback is meant", errors=tuple(errors))


def _revocation(row: RevocationRow) -> Revocation:
    return Revocation(
        revocation_id=row.revocation_id,
        content_id=row.content_id or None,
        user_id=row.user_id or None,
        address=parse_wallet(row.address) if row.address else None,
        until=rfc3339(row.until_ms),
        made_at=rfc3339(row.made_at_ms),
        made_by=row.made_by,
        reason=row.reason,
    )
