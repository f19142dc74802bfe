"""The requirement kind `role`: the person has this role on this server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address
from streamgate_auth.accounts import namespace_of
from streamgate_auth.repository_wallets import LinkedWallet

RolesOf = Callable[[Session, Sequence[LinkedWallet]], Sequence[str]]
"""What the wallets of one person bring."""


@attrs.frozen(kw_only=True)
class Role:
    """Parameters."""

    role: Literal["viewer", "creator", "moderator", "admin"]


@attrs.frozen(eq=False)
class RoleReader:
    """Of a person by what they were signed in with: whoever loses a role is signed out, and what they play ends. Of a
    bare address (a dry run) by what its wallet would bring."""

    db: Database
    roles_of: RolesOf

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name="role",
            summary="Has a role on this server: viewer (whoever has signed in), creator, moderator, admin.",
            params=Role,
            describe=lambda params: f"has the role {params.role}",
            read=self.read,
            satisfy=lambda params: f"ask who runs this server for the role {params.role}",
            cost=0,
        )

    async def read(self, leaf: Leaf) -> Reading:
        held = sorted(leaf.actor.roles) if leaf.actor.kind == "user" else await self._brought_by(leaf.addresses)
        return Reading(outcome="holds" if leaf.params.role in held else "does_not_hold", held_text=", ".join(held))

    async def _brought_by(self, names: Sequence[str]) -> list[str]:
        wallets = [_wallet(name) for name in names]
        return sorted(await self.db.read(lambda session: self.roles_of(session, wallets)))


def _wallet(name: str) -> LinkedWallet:
    chain, _, address = name.rpartition(":")
    return LinkedWallet(namespace=namespace_of(address), address=Address(address), chain=chain, linked_at_ms=0)
