"""What every request meets: security headers, CORS, sizes, limits, repeated requests. One object a process.

`enter` is asked for each request, so it goes through the headers once and makes no object it does not need.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Scope

from streamgate.context import Actor
from streamgate.errors import TooMany
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext
from streamgate.sdk.edge.addresses import ClientAddresses, counted_as, is_neighbour
from streamgate.sdk.edge.cors import Cors, Preflight
from streamgate.sdk.edge.docs import docs_routes
from streamgate.sdk.edge.headers import MEDIA_PREFIXES, security_headers
from streamgate.sdk.edge.idempotency import Idempotency
from streamgate.sdk.edge.kept import RedisAnswers
from streamgate.sdk.edge.rates import Limiter, SharedRates, Spent
from streamgate.sdk.redis import open_redis
from streamgate.settings import LimitSettings, ServerSettings
from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tracing import TRACING
from streamgate.web.client import CLIENT_KEY, client_address
from streamgate.web.edge import HOP_HEADER
from streamgate.web.problems import HeadersTooLarge, RawHeaders, UrlTooLong
from streamgate.web.routes import ANSWER_HEADERS, REFUSED_KEY, Call, Rendered, Route

if TYPE_CHECKING:
    from redis.asyncio import Redis

MAX_CONNECTIONS = 256  # to Redis; one more request at once is counted in this process

"""By which this process knows a request that our own gateway forwarded (`ClientAddresses`)."""

NOT_COUNTED = frozenset({"/health", "/ready"})
"""Balancers ask them often, and take a process out of service that refuses."""

REFUSED = Counts("streamgate_edge_refused_total", "Requests refused at the door.", ("why",))

_RATE = "streamgate.rate"
_READ = frozenset({b"origin", b"x-forwarded-for", HOP_HEADER, b"access-control-request-method"})
_CALLED = {"address": "from this address", "identity": "of this person", "key": "with this API key"}


class Edge:
    """The `web.routes.EdgePolicy`.

    Args:
        counts_neighbours: addresses of this machine and of private networks are counted too. Not so in a process
            without the gateway: there they are gateways, which have counted already, and what runs beside them.
    """

    def __init__(
        self,
        server: ServerSettings,
        limits: LimitSettings,
        *,
        addresses: ClientAddresses,
        shared: SharedRates | None = None,
        idempotency: Idempotency | None = None,
        counts_neighbours: bool = True,
    ) -> None:
        self.routes: Sequence[Route] = docs_routes()
        self.limits = limits
        self.hop = addresses.hop
        self._addresses = addresses
        self._counts_neighbours = counts_neighbours
        self._headers, self._media_headers = security_headers(server)
        self._cors = Cors(server)
        self._preflight = Preflight()
        self._max_headers = server.max_headers
        self._max_header_bytes = server.max_header_bytes
        self._max_url_bytes = server.max_url_bytes
        self._by_address = Limiter("address", shared)
        self._by_identity = Limiter("identity", shared)
        self._by_key = Limiter("key", shared)
        self._idempotency = idempotency or Idempotency(None)

    async def enter(self, scope: Scope) -> ASGIApp | None:
        path: str = scope["path"]
        is_media = path.startswith(MEDIA_PREFIXES)
        answer = list(self._media_headers if is_media else self._headers)
        scope[ANSWER_HEADERS] = answer
        seen = self._look_at(scope)
        origin = seen.get(b"origin")
        if origin is not None:
            answer += self._cors.for_media if is_media else self._cors.headers_for(origin)
            if scope.get("method") == "OPTIONS" and b"access-control-request-method" in seen:
                return self._preflight
        is_from_gateway = False
        if not self._addresses.believes_nobody:
            hop = seen.get(HOP_HEADER, b"")
            is_from_gateway = self._addresses.is_from_gateway(hop)
            peer = (scope.get("client") or ("",))[0]
            scope[CLIENT_KEY] = self._addresses.find(peer, seen.get(b"x-forwarded-for", b""), hop)
        if self.limits.enabled and not is_media and not is_from_gateway and path not in NOT_COUNTED:
            address = client_address(scope)
            if self._counts_neighbours or not is_neighbour(address):
                known: tuple[Spent, int] | None = scope.get(_RATE)  # one that stands for another, which was counted
                spent = known[0] if known else await self._spend(address)
                scope[_RATE] = (spent, len(answer))
                answer += _rate_headers(spent)
                _refuse_without(spent, "address", scope)
        return None

    async def admit(self, scope: Scope, actor: Actor) -> None:
        if not self.limits.enabled or not actor.is_signed_in:
            return
        spent = await self._by_identity.spend(f"{actor.kind}:{actor.user_id}", self.limits.identity_per_minute)
        _note(scope, spent)
        _refuse_without(spent, "identity", scope)
        if actor.credential.startswith("k_"):
            spent = await self._by_key.spend(actor.credential, self.limits.key_per_minute)
            _note(scope, spent)
            _refuse_without(spent, "key", scope)

    async def once(
        self, call: Call[Any, Any], route: Route, plain: Any, answer: Callable[[], Awaitable[Rendered]]
    ) -> Rendered:
        return await self._idempotency.once(call, route, plain, answer)

    async def _spend(self, address: str) -> Spent:
        return await self._by_address.spend(counted_as(address), self.limits.address_per_minute)

    def _look_at(self, scope: Scope) -> dict[bytes, bytes]:
        """The headers we read; those of one name joined by commas.

        Raises:
            UrlTooLong, HeadersTooLarge.
        """
        url_bytes = len(scope.get("raw_path") or scope["path"]) + len(scope["query_string"])
        if url_bytes > self._max_url_bytes:
            REFUSED.of("url").add()
            raise UrlTooLong(f"path and query have {url_bytes} bytes; at most {self._max_url_bytes} are read")
        seen: dict[bytes, bytes] = {}
        size_bytes = 0
        headers = scope["headers"]
        for name, value in headers:
            size_bytes += len(name) + len(value)
            if name in _READ:
                seen[name] = seen[name] + b"," + value if name in seen else value
        if len(headers) > self._max_headers or size_bytes > self._max_header_bytes:
            REFUSED.of("headers").add()
            limits = f"at most {self._max_headers} headers and {self._max_header_bytes} bytes of them are read"
            raise HeadersTooLarge(f"the request has {len(headers)} headers with {size_bytes} bytes; {limits}")
        return seen


def _rate_headers(spent: Spent) -> RawHeaders:
    return [
        (b"ratelimit-limit", b"%d" % spent.limit),
        (b"ratelimit-remaining", b"%d" % spent.remaining),
        (b"ratelimit-reset", b"%d" % math.ceil(spent.reset_s)),
    ]


def _note(scope: Scope, spent: Spent) -> None:
    """The answer tells of the limit that is nearest."""
    answer: RawHeaders = scope.setdefault(ANSWER_HEADERS, [])
    known: tuple[Spent, int] | None = scope.get(_RATE)
    if known is None:
        scope[_RATE] = (spent, len(answer))
        answer += _rate_headers(spent)
    elif not spent.is_allowed or spent.remaining < known[0].remaining:
        at = known[1]
        answer[at : at + 3] = _rate_headers(spent)
        scope[_RATE] = (spent, at)


def _refuse_without(spent: Spent, kind: str, scope: Scope) -> None:
    if not spent.is_allowed:
        scope[REFUSED_KEY] = True
        REFUSED.of(kind).add()
        said = f"more than {spent.limit} requests a minute {_CALLED[kind]}"
        raise TooMany(said, retry_after_s=spent.retry_after_s)


# --- for the process ------------------------------------------------------------------------------------

_REDIS = "streamgate.edge.redis"


def make_edge(ctx: PluginContext) -> Edge:
    """Named by the entry point `streamgate.edge`."""
    server, limits = ctx.settings.server, ctx.settings.limits
    redis = _redis_of(ctx)
    has_gateway = "api" in ctx.selected
    edge = Edge(
        server,
        limits,
        addresses=ClientAddresses(server.trusted_proxies, "" if has_gateway else secrets.token_urlsafe(24)),
        shared=SharedRates(redis) if redis is not None else None,
        idempotency=Idempotency(RedisAnswers(redis) if redis is not None else None),
        counts_neighbours=has_gateway,
    )
    TRACING.hop = edge.hop.encode()

    def take(changed: LimitSettings) -> None:
        edge.limits = changed

    ctx.reloads.subscribe("limits", take)
    return edge


def process_units(ctx: PluginContext) -> list[Unit]:
    """Named by the entry point `streamgate.process_units`: what ends with the process."""
    redis = _redis_of(ctx)
    return [] if redis is None else [SimpleUnit("edge.redis", on_stop=redis.aclose)]


def _redis_of(ctx: PluginContext) -> Redis | None:
    url = ctx.settings.limits.url.reveal()
    if not url.startswith("redis"):
        return None
    return ctx.shared(_REDIS, lambda: open_redis(url, max_connections=MAX_CONNECTIONS))
