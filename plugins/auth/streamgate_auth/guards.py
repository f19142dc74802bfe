"""Who may do what on auth's own routes, beyond their policy."""

from __future__ import annotations

from collections.abc import Mapping

from streamgate.context import Actor
from streamgate.contracts.auth import KeyNotAllowed


async def person_only(actor: Actor, texts: Mapping[str, str]) -> None:
    """A key that could make keys, link wallets or end sign-ins would be worth as much as the account itself.

    Raises:
        KeyNotAllowed: 403.
    """
    if actor.scopes is not None:
        raise KeyNotAllowed("keys, wallets and sign-ins are managed by a person who has signed in, not by an API key")
