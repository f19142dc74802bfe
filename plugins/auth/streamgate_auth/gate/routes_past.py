"""Over HTTP: invitation codes, and past decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamgate.context import Actor
from streamgate.contracts.gate import CodeInvalid, CollectionNotFound, DecisionNotFound, InvitationNotFound, TooManyHere
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.errors import Forbidden, Invalid, TooMany
from streamgate.sdk.clock import parse_rfc3339
from streamgate.web.client import client_address
from streamgate.web.routes import CREATOR, SIGNED_IN, Call, Route, owner
from streamgate_auth.gate.cursor import read_cursor, write_cursor
from streamgate_auth.gate.forms_past import (
    DecisionItem,
    DecisionPath,
    DecisionsListed,
    DecisionsQuery,
    InvitationItem,
    InvitationPath,
    InvitationsListed,
    InvitationsQuery,
    MadeInvitationItem,
    MadeInvitations,
    NewInvitationsBody,
    RedeemAnswer,
    RedeemBody,
    ReplayAnswer,
)
from streamgate_auth.gate.invitations import InvitationCodes, Wanted
from streamgate_auth.gate.limit import Tries
from streamgate_auth.gate.past import PastDecisions
from streamgate_auth.gate.routes import PREFIX


class PastRoutes:
    """`tries`: codes and proofs are not for guessing."""

    def __init__(self, codes: InvitationCodes, past: PastDecisions, metadata: Metadata, tries: Tries) -> None:
        self._codes = codes
        self._past = past
        self._metadata = metadata
        self._tries = tries

    def routes(self) -> Sequence[Route]:
        return [*self._invitation_routes(), *self._decision_routes()]

    def _invitation_routes(self) -> Sequence[Route]:
        many, hidden = f"{PREFIX}/invitations", (ContentNotFound, CollectionNotFound, Forbidden)
        return [
            Route(
                "POST",
                many,
                self.make,
                policy=CREATOR,
                body=NewInvitationsBody,
                answer=MadeInvitations,
                status=201,
                summary="Make invitation codes, shown this once",
                description="For a content or a collection of one's own, whose rule has the requirement `invitation`.",
                errors=(*hidden, Invalid, TooManyHere),
            ),
            Route(
                "GET",
                many,
                self.listed,
                policy=CREATOR,
                query=InvitationsQuery,
                answer=InvitationsListed,
                summary="The invitations to a content or collection, without their codes",
                errors=(*hidden, Invalid),
            ),
            Route(
                "DELETE",
                f"{many}/{{invitation_id}}",
                self.revoke,
                policy=owner("invitation_id"),
                query=InvitationPath,
                summary="Revoke an invitation, and what it has opened",
                errors=(InvitationNotFound,),
            ),
            Route(
                "POST",
                f"{PREFIX}/redeem",
                self.redeem,
                policy=SIGNED_IN,
                body=RedeemBody,
                answer=RedeemAnswer,
                summary="Redeem an invitation code",
                description="Whoever is invited already burns no use.",
                errors=(CodeInvalid, TooMany),
            ),
        ]

    def _decision_routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/decisions",
                self.decisions,
                policy=owner("content_id"),
                guard=self._may_change,
                query=DecisionsQuery,
                answer=DecisionsListed,
                summary="Who was let in, who was not, and why",
                description="What differed from the decision before it for the same person, and repeated refusals.",
                errors=(ContentNotFound, Forbidden, Invalid),
            ),
            Route(
                "POST",
                f"{PREFIX}/decisions/{{decision_id}}/replay",
                self.replay,
                policy=owner("decision_id"),
                only_reads=True,
                query=DecisionPath,
                answer=ReplayAnswer,
                summary="Make a past decision again, from what was read then, and anew",
                errors=(DecisionNotFound,),
            ),
        ]

    # --- invitations ----------------------------------------------------------------------------

    async def make(self, call: Call[NewInvitationsBody, None]) -> MadeInvitations:
        body = call.body
        wanted = Wanted(
            scope_id=body.scope_id,
            campaign=body.campaign,
            count=body.count,
            uses=body.uses,
            expires_at_ms=None if body.expires_at is None else parse_rfc3339(body.expires_at),
        )
        made, warnings = await self._codes.make(call.actor, wanted)
        return MadeInvitations(items=tuple(map(MadeInvitationItem.made, made)), warnings=warnings)

    async def listed(self, call: Call[None, InvitationsQuery]) -> InvitationsListed:
        query = call.query
        before = read_cursor(query.cursor)
        found = await self._codes.listed(
            call.actor, query.scope_id, query.campaign, before=before, limit=query.limit + 1
        )
        shown = found[: query.limit]
        more = len(found) > query.limit
        return InvitationsListed(
            items=tuple(map(InvitationItem.of, shown)),
            next_cursor=write_cursor(shown[-1].created_at_ms, shown[-1].invitation_id) if more else None,
        )

    async def revoke(self, call: Call[None, InvitationPath]) -> None:
        await self._codes.revoke(call.actor, call.query.invitation_id)

    async def redeem(self, call: Call[RedeemBody, None]) -> RedeemAnswer:
        self._tries.spend(call.actor.user_id, client_address(call.request.scope))
        return RedeemAnswer.of(await self._codes.redeem(call.actor, call.body.code))

    # --- decisions ------------------------------------------------------------------------------

    async def decisions(self, call: Call[None, DecisionsQuery]) -> DecisionsListed:
        query = call.query
        found = await self._past.listed(
            query.content_id,
            user_id=query.user,
            outcome=query.outcome,
            before=read_cursor(query.cursor),
            limit=query.limit + 1,
        )
        shown = found[: query.limit]
        more = len(found) > query.limit
        return DecisionsListed(
            items=tuple(map(DecisionItem.of, shown)),
            next_cursor=write_cursor(shown[-1].at_ms, shown[-1].decision_id) if more else None,
        )

    async def replay(self, call: Call[None, DecisionPath]) -> ReplayAnswer:
        return ReplayAnswer.of(await self._past.replay(call.actor, call.query.decision_id))

    async def _may_change(self, actor: Actor, texts: Mapping[str, str]) -> None:
        content_id = texts.get("content_id", "")
        if content_id:  # else it is 422, as for any field that is missing
            await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want="change"))
