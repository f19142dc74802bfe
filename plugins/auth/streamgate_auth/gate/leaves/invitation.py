"""The requirement kind `invitation`: the person has redeemed a code of this campaign."""

from __future__ import annotations

import re
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.db import Database
from streamgate_auth.gate.repository_invitations import is_invited

INVITATION = "invitation"
_CAMPAIGN = re.compile(r"[a-z0-9][a-z0-9-]{0,49}", re.ASCII)


def is_campaign(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    if not _CAMPAIGN.fullmatch(value):
        raise ValueError("must be 1 to 50 of a-z, 0-9 and -, not beginning with -")


@attrs.frozen(kw_only=True)
class Invitation:
    """Parameters. Campaigns of one name for two contents are two campaigns; in a collection's gate it is one."""

    campaign: str = attrs.field(validator=is_campaign)


@attrs.frozen(eq=False)
class Invitations:
    """Reads the kind from what was redeemed. In a dry run for an address, its person counts."""

    db: Database

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name=INVITATION,
            summary="Has redeemed an invitation code of a campaign.",
            params=Invitation,
            describe=lambda params: f"is invited ({params.campaign})",
            read=self.read,
            satisfy=lambda params: "redeem an invitation code",
            cost=1,
        )

    async def read(self, leaf: Leaf) -> Reading:
        user_id = leaf.actor.user_id if leaf.actor.kind == "user" else ""
        campaign: str = leaf.params.campaign

        def look(session: Any) -> bool:
            return is_invited(session, leaf.content_id, campaign, user_id=user_id, addresses=leaf.addresses)

        return Reading(outcome="holds" if await self.db.read(look) else "does_not_hold")
