"""One listener's application: mounts first, then the edge, then typed routes, last what is asked when none answers.

request ── longest mount of order 0 ──────────────────────────── raw ASGI
        └─ edge ── route table ── endpoint ── handler
                               └─ mounts of order > 0 ─────────── raw ASGI
                               └─ 404, 405
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from streamgate import __version__
from streamgate.health import Liveness, Readiness
from streamgate.settings import ServerSettings
from streamgate.web.access import AccessLog
from streamgate.web.edge import Edge
from streamgate.web.intake import has_body, take_in
from streamgate.web.openapi import Description, describe
from streamgate.web.problems import MethodNotAllowed, RouteNotFound
from streamgate.web.routes import Authenticator, Mount, Route
from streamgate.web.system import system_routes
from streamgate.web.table import RouteTable
from streamgate.web.typed import Endpoint


class App:
    """An ASGI application made by `build_app`, and what is known of it."""

    def __init__(
        self,
        *,
        routes: Sequence[Route],
        mounts: Sequence[Mount],
        description: Description,
        authenticator: Authenticator,
        settings: ServerSettings,
        access_log: AccessLog,
    ) -> None:
        self.routes = tuple(routes)
        self.mounts = tuple(mounts)
        self.description = description
        self._access_log = access_log
        self._read_timeout_s = settings.read_timeout_s
        ahead = [mount for mount in mounts if mount.order <= 0]
        self._ahead = sorted(ahead, key=lambda mount: (-len(mount.prefix), mount.order))
        behind = sorted((mount for mount in mounts if mount.order > 0), key=lambda mount: mount.order)
        entries = ((r.method, r.path, Endpoint(r, authenticator, settings.max_body_bytes)) for r in routes)
        self._general: ASGIApp = Edge(_Router(RouteTable(entries), behind), access_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            app = self._choose(scope["path"])
            if has_body(scope):
                await take_in(app, scope, receive, send, self._read_timeout_s)
            else:
                await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:  # no route speaks WebSocket
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    def _choose(self, path: str) -> ASGIApp:
        for mount in self._ahead:
            if is_below(path, mount.prefix):
                return mount.app
        return self._general

    async def _live(self, receive: Receive, send: Send) -> None:
        """The server's own start and stop, around which the access log is written."""
        await receive()
        await self._access_log.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._access_log.stop()
        await send({"type": "lifespan.shutdown.complete"})


class _Router:
    def __init__(self, table: RouteTable, behind: Sequence[Mount]) -> None:
        self._table = table
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        match = self._table.find(method, path)
        if match is None:
            for mount in self._behind:
                if is_below(path, mount.prefix):
                    await mount.app(scope, receive, send)
                    return
            raise RouteNotFound(f"nothing is served at {path}")
        endpoint = match.by_method.get(method)
        if endpoint is None:
            raise MethodNotAllowed(f"{path} does not take {method}", allowed=match.by_method)
        scope["path_params"] = match.path_params
        await endpoint(scope, receive, send)


def is_below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix or below it: `/api/v1/streaming` is not below `/api/v1/stream`."""
    if not path.startswith(prefix):
        return False
    return len(path) == len(prefix) or prefix.endswith("/") or path[len(prefix)] == "/"


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
) -> App:
    """The application of one listener; `/health`, `/ready` and `/openapi.json` are added.

    Args:
        service: what the listener calls itself in `/health`.
        mode: `all` or `only`.
        readiness: probes the dependencies now.
        began_s: when the process began, by `time.monotonic()`.

    Raises:
        ValueError: two routes answer the same method and path, or two mounts of order 0 have one prefix.
        TypeError: a route's classes cannot be documented (so neither validated).
    """
    prefixes = [mount.prefix for mount in mounts if mount.order <= 0]
    doubled = {prefix for prefix in prefixes if prefixes.count(prefix) > 1}
    if doubled:
        raise ValueError(f"two mounts have the prefix {', '.join(sorted(doubled))}")

    def liveness() -> Liveness:
        uptime_s = round(time.monotonic() - began_s, 3)
        return Liveness(status="ok", service=service, version=__version__, mode=mode, uptime_s=uptime_s)

    every_route = [*routes, *system_routes(liveness, readiness, lambda: description)]
    description = describe(every_route, title=f"StreamGate {service}", version=__version__)
    return App(
        routes=every_route,
        mounts=mounts,
        description=description,
        authenticator=authenticator,
        settings=settings,
        access_log=access_log or AccessLog(),
    )
