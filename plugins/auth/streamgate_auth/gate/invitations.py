"""Invitation codes: made and shown once, kept as a hash, redeemed so many times, revocable."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.gate import CodeInvalid, CollectionNotFound, InvitationNotFound, TooManyHere
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.errors import FieldError, Forbidden, Invalid
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate_auth.changed import tell_changed
from streamgate_auth.gate import repository_invitations as repository
from streamgate_auth.gate.collections import Collections
from streamgate_auth.gate.compiled import named_campaigns
from streamgate_auth.gate.repository import load_gates
from streamgate_auth.gate.repository_collections import load_collections
from streamgate_auth.gate.repository_invitations import InvitationRecord

MAX_PER_SCOPE = 20_000
KEPT_MS = 30 * 86_400_000
"""So long the revoked ones are listed, and those that expired unused."""
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base32: nothing in it looks like something else
CODE_CHARS = 20  # 100 bits: nobody guesses one, so that a plain hash keeps them
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


@attrs.frozen(kw_only=True)
class MadeInvitation:
    """`code` is shown now and never again."""

    code: str
    record: InvitationRecord


@attrs.frozen(kw_only=True)
class Wanted:
    """Codes that somebody asks for. `scope_id`: the content or collection they are for."""

    scope_id: str
    campaign: str
    count: int
    uses: int
    expires_at_ms: int | None


class InvitationCodes:
    def __init__(self, *, db: Database, metadata: Metadata, collections: Collections, clock: Clock) -> None:
        self._db = db
        self._metadata = metadata
        self._collections = collections
        self._clock = clock

    async def make(self, actor: Actor, wanted: Wanted) -> tuple[list[MadeInvitation], tuple[str, ...]]:
        """The invitations, and what their maker may not have meant.

        Raises:
            ContentNotFound, CollectionNotFound: 404. Forbidden: 403. Invalid: 422, they would be over already.
            TooManyHere: 409.
        """
        await self._require_own(actor, wanted.scope_id)
        now_ms = self._clock.now_ms()
        if wanted.expires_at_ms is not None and wanted.expires_at_ms <= now_ms:
            fault = FieldError("expires_at", f"must be later than now, {rfc3339(now_ms)}")
            raise Invalid(f"{fault.field} {fault.message}", errors=(fault,))
        made = [_new(wanted, actor, now_ms) for _ in range(wanted.count)]

        def save(session: Session) -> tuple[str, ...]:
            repository.forget_invitations(session, wanted.scope_id, before_ms=now_ms - KEPT_MS)
            if repository.count_invitations(session, wanted.scope_id, now_ms=now_ms) + wanted.count > MAX_PER_SCOPE:
                raise TooManyHere(
                    f"a content or collection has at most {MAX_PER_SCOPE} invitations that are neither revoked nor "
                    "expired: revoke those of no more use, or make one with more uses"
                )
            repository.add_invitations(session, [each.record for each in made])
            detail = {"campaign": wanted.campaign, "count": str(wanted.count), "uses": str(wanted.uses)}
            audit(session, "gate.invitations_made", on=_on(wanted.scope_id), actor=actor, detail=detail)
            return _warnings(session, wanted)

        return made, await self._db.write(save)

    async def listed(
        self, actor: Actor, scope_id: str, campaign: str, *, before: tuple[int, str] | None, limit: int
    ) -> Sequence[InvitationRecord]:
        """The newest first. Raises ContentNotFound, CollectionNotFound: 404. Forbidden: 403."""
        await self._require_own(actor, scope_id)
        return await self._db.read(
            lambda session: repository.list_invitations(session, scope_id, campaign, before=before, limit=limit)
        )

    async def revoke(self, actor: Actor, invitation_id: str) -> None:
        """The code opens nothing any more, and what it has opened shuts. Twice is harmless.

        Raises:
            InvitationNotFound: 404, also for somebody else's.
        """
        found = await self._db.read(lambda session: repository.find_invitation(session, invitation_id))
        unknown = InvitationNotFound(f"you have no invitation {invitation_id[:40]!r}")
        if found is None:
            raise unknown
        try:
            await self._require_own(actor, found.scope_id)
        except (ContentNotFound, CollectionNotFound, Forbidden) as fault:
            raise unknown from fault
        now_ms = self._clock.now_ms()

        def save(session: Session) -> None:
            if repository.revoke_invitation(session, invitation_id, now_ms=now_ms):
                detail = {"invitation_id": invitation_id}
                audit(session, "gate.invitation_revoked", on=_on(found.scope_id), actor=actor, detail=detail)
                tell_changed(session, invitation_id, repository.invited_by(session, found), now_ms=now_ms)

        await self._db.write(save)

    async def redeem(self, actor: Actor, code: str) -> InvitationRecord:
        """Who is invited already burns no use. Raises CodeInvalid: 422."""
        digest, now_ms = digest_of(code), self._clock.now_ms()

        def save(session: Session) -> InvitationRecord:
            invitation = repository.find_by_digest(session, digest)
            if invitation is None or invitation.revoked_at_ms is not None:
                raise CodeInvalid("this code opens nothing")
            done = repository.redeem(session, invitation, actor.user_id, now_ms=now_ms)
            if done == "useless":
                raise CodeInvalid("this code opens nothing")
            if done == "redeemed":
                detail = {"campaign": invitation.campaign, "invitation_id": invitation.invitation_id}
                audit(session, "gate.redeemed", on=_on(invitation.scope_id), actor=actor, detail=detail)
            return invitation

        return await self._db.write(save)

    async def _require_own(self, actor: Actor, scope_id: str) -> None:
        if _is_collection(scope_id):
            await self._collections.get(actor, scope_id)
        else:
            await self._metadata.get(AccessQuery(content_id=scope_id, actor=actor, want="change"))


def digest_of(code: str) -> str:
    """SHA-256, hex, of the code however it was copied down."""
    plain = code.upper().translate(_READ_AS)
    return hashlib.sha256(plain.encode()).hexdigest()


def _new(wanted: Wanted, actor: Actor, now_ms: int) -> MadeInvitation:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_CHARS))
    record = InvitationRecord(
        invitation_id=new_id("i"),
        digest=digest_of(letters),
        scope_id=wanted.scope_id,
        campaign=wanted.campaign,
        made_by=actor.user_id,
        uses=wanted.uses,
        used=0,
        created_at_ms=now_ms,
        expires_at_ms=wanted.expires_at_ms,
    )
    return MadeInvitation(code="-".join(letters[at : at + 5] for at in range(0, CODE_CHARS, 5)), record=record)


def _warnings(session: Session, wanted: Wanted) -> tuple[str, ...]:
    """Whether the gate asks for them at all."""
    scope = [wanted.scope_id]
    found = load_collections(session, scope) if _is_collection(wanted.scope_id) else load_gates(session, scope)
    campaigns = [name for each in found.values() for name in named_campaigns(each.rule)]
    if wanted.campaign in campaigns:
        return ()
    instead = f", but {', '.join(campaigns)}" if campaigns else ""
    return (f"the gate does not name the campaign {wanted.campaign}{instead}: these codes open nothing until it does",)


def _is_collection(scope_id: str) -> bool:
    return scope_id.startswith("g_")


def _on(scope_id: str) -> str:
    return f"collection:{scope_id}" if _is_collection(scope_id) else f"content:{scope_id}"
