"""An application behind the edge's policy, with a clock and callers that are known by a word."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.sdk.edge.addresses import ClientAddresses
from streamgate.sdk.edge.idempotency import Idempotency
from streamgate.sdk.edge.kept import MemoryAnswers
from streamgate.sdk.edge.policy import Edge
from streamgate.settings import LimitSettings, ServerSettings

PUBLIC_URL = "https://video.example"
SERVER = ServerSettings(public_url=PUBLIC_URL)
LIMITS = LimitSettings(address_per_minute=1000, identity_per_minute=1000, key_per_minute=1000)


@attrs.define
class Now:
    """Seconds that a test moves on."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def now() -> Now:
    return Now()


MakeEdge = Callable[..., Edge]


@pytest.fixture
def make_edge(now: Now) -> MakeEdge:
    def make(server: ServerSettings = SERVER, limits: LimitSettings = LIMITS, hop: str = "", **more: Any) -> Edge:
        more.setdefault("idempotency", Idempotency(None, MemoryAnswers(now)))
        edge = Edge(server, limits, addresses=ClientAddresses(server.trusted_proxies, hop), **more)
        for limiter in (edge._by_address, edge._by_identity, edge._by_key):
            limiter._own._now_s = now
        return edge

    return make


def scope_of(path: str = "/x", *, peer: str = "192.0.2.7", method: str = "GET", **headers: str) -> dict[str, Any]:
    """An HTTP scope; `x_forwarded_for=…` is the header X-Forwarded-For."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": raw,
        "client": (peer, 4711),
    }


def person(user_id: str = "u_1", credential: str = "a_1") -> Actor:
    return Actor(kind="user", user_id=user_id, roles=("viewer",), credential=credential)


class KnownByWord:
    """`Authorization: Bearer NAME` is the user NAME."""

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        sent = headers.get("authorization", "").removeprefix("Bearer ")
        return person(sent) if sent else ANONYMOUS
