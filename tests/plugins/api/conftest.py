"""A gateway on a real socket, and services behind it on theirs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

import attrs
import httpx
import pytest

from streamgate.announce import Announcement
from streamgate.bus.memory import MemoryBus
from streamgate.context import ANONYMOUS, Actor
from streamgate.engine.server import Server, bind
from streamgate.health import Readiness
from streamgate.settings import ServerSettings
from streamgate.web.access import AccessLog
from streamgate.web.app import App, build_app
from streamgate.web.openapi import describe
from streamgate.web.routes import PUBLIC, Mount, Route
from streamgate_api.config import ApiConfig
from streamgate_api.described import DescriptionPage
from streamgate_api.directory import Directory
from streamgate_api.forwarder import Forwarder
from streamgate_api.merged import MergedDescription
from streamgate_api.targets import Targets

SETTINGS = ServerSettings(read_timeout_s=5, drain_timeout_s=2)


class Nobody:
    async def authenticate(self, headers: object) -> Actor:
        return ANONYMOUS


async def _ready() -> Readiness:
    return Readiness(ready=True, checks={})


def make_app(routes: Sequence[Route], mounts: Sequence[Mount] = (), *, service: str) -> App:
    return build_app(
        routes=routes,
        mounts=mounts,
        authenticator=Nobody(),
        settings=SETTINGS,
        service=service,
        mode="only",
        readiness=_ready,
        began_s=time.monotonic(),
        access_log=AccessLog(lambda batch: None),
    )


@attrs.define
class Backend:
    """A service on a socket."""

    app: App
    server: Server
    base_url: str

    def announced(self, service: str, *prefixes: str) -> Announcement:
        return Announcement(
            service=service,
            instance="one",
            base_url=self.base_url,
            prefixes=prefixes,
            openapi_sha256=self.app.description.sha256,
        )


@attrs.define
class Gateway:
    """`targets` may be told directly, or over the bus by announcements."""

    bus: MemoryBus
    targets: Targets
    directory: Directory
    http: httpx.AsyncClient
    backends: list[Backend] = attrs.field(factory=list)

    async def serve(
        self, service: str, routes: Sequence[Route], *prefixes: str, mounts: Sequence[Mount] = ()
    ) -> Backend:
        """Starts a service and announces it."""
        backend = await self.start(routes, mounts, service)
        self.targets.hear(backend.announced(service, *prefixes))
        return backend

    async def start(self, routes: Sequence[Route], mounts: Sequence[Mount], service: str) -> Backend:
        app = make_app(routes, mounts, service=service)
        server = Server(f"http:{service}", app, bind("127.0.0.1", 0), SETTINGS)
        await server.start()
        self.backends.append(Backend(app, server, f"http://127.0.0.1:{server.port}"))
        return self.backends[-1]


@pytest.fixture
def config() -> ApiConfig:
    return ApiConfig(answer_timeout_s=0.5)


@pytest.fixture
async def gateway(config: ApiConfig) -> AsyncIterator[Gateway]:
    bus = MemoryBus()
    await bus.start()
    targets = Targets(config.services)
    forwarder = Forwarder(targets, config)
    directory = Directory(bus, targets, forwarder)
    merged = MergedDescription(targets, lambda: describe([], title="own", version="1"))
    mounts = [
        Mount(prefix="/", app=forwarder, policy=PUBLIC, order=100, summary="Forwards"),
        Mount(prefix="/openapi.json", app=DescriptionPage(merged.current), policy=PUBLIC, summary="Describes"),
    ]
    server = Server("http:gateway", make_app([], mounts, service="api"), bind("127.0.0.1", 0), SETTINGS)
    await directory.start()
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10, trust_env=False) as http:
        made = Gateway(bus, targets, directory, http)
        yield made
    await server.stop()
    await directory.stop()
    for backend in made.backends:
        await backend.server.stop()
    await bus.stop()
