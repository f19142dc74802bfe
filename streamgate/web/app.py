"""One listener's application: mounts first, then the edge, then typed routes, last what is asked when none answers.

request ── longest mount of order 0 ──────────────────────────── raw ASGI
        └─ edge ── route table ── endpoint ── handler
                               └─ mounts of order > 0 ─────────── raw ASGI
                               └─ 404, 405
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import attrs
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate import __version__
from streamgate.health import Liveness, Readiness
from streamgate.settings import LogSettings, ServerSettings
from streamgate.telemetry.requests import LineWriter
from streamgate.web.access import AccessLog
from streamgate.web.edge import ROUTE_KEY, Edge
from streamgate.web.intake import has_body, take_in
from streamgate.web.openapi import Description, describe
from streamgate.web.outward import AheadOfEdge, refuse_websocket
from streamgate.web.problems import MethodNotAllowed, RouteNotFound
from streamgate.web.routes import Authenticator, EdgePolicy, Mount, Route
from streamgate.web.system import system_routes
from streamgate.web.table import RouteTable
from streamgate.web.typed import Endpoint


class App:
    """An ASGI application made by `build_app`, and what is known of it."""

    def __init__(
        self,
        routes: Sequence[Route],
        mounts: Sequence[Mount],
        authenticator: Authenticator,
        settings: ServerSettings,
        description: Description,
        access_log: AccessLog,
        policy: EdgePolicy | None = None,
    ) -> None:
        self.routes = tuple(routes)
        self.mounts = tuple(mounts)
        self.description = description
        self._access_log = access_log
        self._policy = policy
        self._read_timeout_s = settings.read_timeout_s
        in_order = sorted(mounts, key=lambda mount: (mount.order, -len(mount.prefix)))
        ahead = [mount for mount in in_order if mount.order <= 0]
        if policy is not None:
            ahead = [attrs.evolve(mount, app=AheadOfEdge(mount.app, policy)) for mount in ahead]
        self._ahead = _places(ahead)
        self._sockets = _places([mount for mount in ahead if mount.websocket])
        self._behind = _places([mount for mount in in_order if mount.order > 0])
        self._table = RouteTable(
            (each.method, each.path, Endpoint(each, authenticator, settings.max_body_bytes, policy)) for each in routes
        )
        self._general = Edge(self._route, access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            app = _mounted(self._ahead, scope["path"]) or self._general
            if has_body(scope):
                await take_in(app, scope, receive, send, self._read_timeout_s)
            else:
                await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            app = _mounted(self._sockets, scope["path"]) or refuse_websocket
            await app(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        instead = None if self._policy is None else await self._policy.enter(scope)
        if instead is not None:
            await instead(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        found = self._table.find(method, path)
        if found.allowed:
            raise MethodNotAllowed(f"{path} does not take {method}", allowed=found.allowed)
        app = found.endpoint or _mounted(self._behind, path)
        if app is None:
            raise RouteNotFound(f"nothing is served at {path}")
        scope["path_params"] = found.path_params
        scope[ROUTE_KEY] = getattr(app, "route", None)
        await app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's own start and stop, around which the access log is written."""
        await receive()
        await self._access_log.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._access_log.stop()
        await send({"type": "lifespan.shutdown.complete"})


_Place = tuple[str, str, ASGIApp]


def _places(mounts: Sequence[Mount]) -> list[_Place]:
    """What each request asks of each mount, made ready: its prefix, how all below it begin, and who answers."""
    return [(mount.prefix, mount.prefix.rstrip("/") + "/", mount.app) for mount in mounts]


def _mounted(places: Sequence[_Place], path: str) -> ASGIApp | None:
    for prefix, below, app in places:
        if path == prefix or path.startswith(below):
            return app
    return None


def is_below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix or below it: `/api/v1/streaming` is not below `/api/v1/stream`."""
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


def build_app(
    *,
    routes: Sequence[Route],
    mounts: Sequence[Mount] = (),
    authenticator: Authenticator,
    settings: ServerSettings,
    service: str,
    mode: str,
    readiness: Callable[[], Awaitable[Readiness]],
    began_s: float,
    access_log: AccessLog | None = None,
    policy: EdgePolicy | None = None,
) -> App:
    """The application of one listener; `/health`, `/ready`, `/openapi.json` and the policy's pages are added.

    Args:
        service: what the listener calls itself in `/health`.
        mode: `all` or `only`.
        readiness: probes the dependencies now.
        began_s: when the process began, by `time.monotonic()`.
        access_log: by default to standard error, for people, from INFO on.
        policy: what every request meets; without one, nothing is limited.

    Raises:
        ValueError: two routes answer the same method and path, or two mounts have one prefix and order.
        TypeError: a route's classes cannot be documented (so neither validated).
    """
    if len({(mount.prefix, mount.order) for mount in mounts}) < len(mounts):
        raise ValueError(f"two mounts have one prefix: {', '.join(sorted(mount.prefix for mount in mounts))}")

    def liveness() -> Liveness:
        uptime_s = round(time.monotonic() - began_s, 3)
        return Liveness(status="ok", service=service, version=__version__, mode=mode, uptime_s=uptime_s)

    every_route = [*routes, *system_routes(liveness, readiness, lambda: description)]
    every_route += policy.routes if policy is not None else ()
    documents = [document for mount in mounts for document in mount.documents]
    description = describe([*every_route, *documents], title=f"StreamGate {service}", version=__version__)
    access_log = access_log or AccessLog(LineWriter(LogSettings()))
    return App(every_route, mounts, authenticator, settings, description, access_log, policy)
