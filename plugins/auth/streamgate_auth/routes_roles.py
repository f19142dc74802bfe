"""Who may do what, over HTTP, for administrators: the operator's lists and what is granted beside them."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.auth import AddressInvalid, ChainUnknown, LastAdmin, RoleNotGranted
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_auth.forms_account import RoleItem, RolesBody, RolesListed, WalletPath
from streamgate_auth.roles import Roles
from streamgate_auth.routes import PREFIX


class RoleRoutes:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    def routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/roles",
                self.listed,
                policy=ADMIN,
                answer=RolesListed,
                summary="Roles by wallet: the operator's lists and what was granted",
            ),
            Route(
                "PUT",
                f"{PREFIX}/roles/{{address}}",
                self.set,
                policy=ADMIN,
                query=WalletPath,
                body=RolesBody,
                answer=RolesListed,
                summary="Grant a wallet these roles, and no others; whoever loses one is signed out",
                errors=(AddressInvalid, ChainUnknown, LastAdmin),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/roles/{{address}}",
                self.remove,
                policy=ADMIN,
                query=WalletPath,
                summary="Take all granted roles from a wallet, and sign its person out",
                errors=(AddressInvalid, ChainUnknown, LastAdmin, RoleNotGranted),
            ),
        ]

    async def listed(self, call: Call[None, None]) -> RolesListed:
        return RolesListed(items=tuple(map(RoleItem.of, await self._roles.listed())))

    async def set(self, call: Call[RolesBody, WalletPath]) -> RolesListed:
        has = await self._roles.set(call.actor, call.query.address, call.body.roles)
        return RolesListed(items=tuple(map(RoleItem.of, has)))

    async def remove(self, call: Call[None, WalletPath]) -> None:
        await self._roles.remove(call.actor, call.query.address)
