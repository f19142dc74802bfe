"""Who may do what, by wallet: the lists an operator keeps. Asked at each sign-in and refresh."""

from __future__ import annotations

from collections.abc import Iterable

from streamgate.sdk.evm import Address
from streamgate_auth.accounts import parse_any_address
from streamgate_auth.config import AuthConfig


class Roles:
    """The lists, with addresses as they are compared."""

    def __init__(self, config: AuthConfig) -> None:
        self.take(config)

    def take(self, config: AuthConfig) -> None:
        """New lists, from the next sign-in or refresh on."""
        self._listed = {
            "admin": frozenset(map(parse_any_address, config.admins)),
            "moderator": frozenset(map(parse_any_address, config.moderators)),
            "creator": frozenset(map(parse_any_address, config.creators)),
        }
        self._open_creators = config.open_creators

    def of(self, addresses: Iterable[Address]) -> tuple[str, ...]:
        """The roles of somebody with these wallets: viewer, and what any one of them brings."""
        wallets = set(addresses)
        roles = {"viewer", *(role for role, listed in self._listed.items() if wallets & listed)}
        if self._open_creators:
            roles.add("creator")
        return tuple(sorted(roles))
