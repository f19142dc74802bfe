"""The requirement kind `role`: the person has this role on this server."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind


@attrs.frozen(kw_only=True)
class Role:
    """Parameters."""

    role: Literal["viewer", "creator", "moderator", "admin"]


def role_kind() -> RequirementKind:
    return RequirementKind(
        name="role",
        summary="Has a role on this server: viewer (whoever has signed in), creator, moderator, admin.",
        params=Role,
        describe=lambda params: f"has the role {params.role}",
        read=_read,
        satisfy=lambda params: f"ask who runs this server for the role {params.role}",
        cost=0,
    )


async def _read(leaf: Leaf) -> Reading:
    """By what the person was signed in with: whoever loses a role is signed out, and what they play ends."""
    if leaf.actor.kind != "user":
        return Reading(outcome="unknown", reason="roles are of people who have signed in, not of an address")
    held = sorted(leaf.actor.roles)
    return Reading(outcome="holds" if leaf.params.role in held else "does_not_hold", held_text=", ".join(held))
