"""Where a request comes from: the address of the connection, or what a trusted proxy says of it.

Anybody can write `X-Forwarded-For`, so only the layer at the door reads it, and only from peers that
`server.trusted_proxies` lists; what it finds is kept in the scope. Everybody else asks here.
"""

from __future__ import annotations

from starlette.types import Scope

CLIENT_KEY = "streamgate.client"


def client_address(scope: Scope) -> str:
    """The address of whoever asks, as text (`192.0.2.7`, `2001:db8::1`); "" where the server does not know."""
    known: str | None = scope.get(CLIENT_KEY)
    if known is not None:
        return known
    peer = scope.get("client")
    return str(peer[0]) if peer else ""
