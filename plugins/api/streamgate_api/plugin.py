"""The gateway's answers to the kernel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import orjson
from starlette.types import ASGIApp

from streamgate.announce import ANNOUNCE, ANNOUNCE_WANTED
from streamgate.contracts.auth import AUTH
from streamgate.contracts.cache import CACHE
from streamgate.contracts.live import LIVE
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.nft import NFT
from streamgate.contracts.prefixes import SERVICES
from streamgate.contracts.streaming import STREAMING
from streamgate.events import EventSubscription, on_everyone
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import Unit
from streamgate.plugins import PluginContext, PluginInfo, load_authenticator
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.web.app import App
from streamgate.web.openapi import Description
from streamgate.web.routes import PUBLIC, Mount, Route
from streamgate_api.config import ApiConfig
from streamgate_api.targets import SELF

if TYPE_CHECKING:
    from streamgate_api.live.hub import Hub
    from streamgate_api.live.routes import LiveRoutes

LAST = 100  # asked when no route of this process answers


class ApiPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_api.bypath import PREFIX, StreamingByPath
        from streamgate_api.content import ContentRoutes
        from streamgate_api.described import PATH, DescriptionPage
        from streamgate_api.including import Including
        from streamgate_api.nft import NftRoutes

        services = ctx.services
        self._ctx = ctx
        self._live, self._hub = self._look(ctx.config)
        including = Including(self._app, services.get(STREAMING))
        self._routes = [
            *ContentRoutes(services.get(METADATA), services.get(AUTH), including).routes(),
            *NftRoutes(services.get(NFT)).routes(),
            *self._live.routes(),
        ]
        by_path = StreamingByPath(self._app)
        self._units: list[Unit] = []
        self._mounts: list[Mount] = [
            Mount(prefix=PREFIX, app=by_path, policy=PUBLIC, summary="Streams, with the content in the path"),
            *self._live.mounts(),
        ]
        self._checks: list[Check] = []
        self._is_there: Callable[[str], bool] = lambda service: True
        self._completed: Description | None = None
        description = self._forward(ctx.config) if ctx.mode == "only" else self._of_this_process
        page = DescriptionPage(description)
        self._mounts.append(Mount(prefix=PATH, app=page, policy=PUBLIC, summary="All services, described as one"))
        if SELF in ctx.base_urls:  # it has a listener: not where a test puts plugins together
            self._serve_grpc(ctx.config)

    def _forward(self, config: ApiConfig) -> Callable[[], Awaitable[Description]]:
        """How all is described. With all services in one process there is nothing to forward, and no client for it is
        loaded."""
        from streamgate_api.directory import Directory
        from streamgate_api.forwarder import Forwarder
        from streamgate_api.merged import MergedDescription
        from streamgate_api.targets import Targets

        targets = Targets(config.services)
        self._is_there = lambda service: bool(targets.addresses_of(service))
        forwarder = Forwarder(targets, config)
        directory = Directory(self._ctx.bus, targets, forwarder)
        merged = MergedDescription(targets, self._own_description)
        self._units.append(directory)
        self._checks = [Check("forwarding", directory.probe, critical=False)]
        self._mounts.append(
            Mount(prefix="/", app=forwarder, policy=PUBLIC, order=LAST, summary="What other processes serve")
        )
        return merged.current

    def _app(self) -> ASGIApp:
        return self._ctx.apps[SELF]

    def _look(self, config: ApiConfig) -> tuple[LiveRoutes, Hub]:
        from streamgate_api.live.hub import Hub
        from streamgate_api.live.routes import LiveRoutes
        from streamgate_api.live.sse import EventStream
        from streamgate_api.live.tickets import Tickets
        from streamgate_api.live.watching import Looks
        from streamgate_api.live.websocket import LiveSocket

        ctx, server = self._ctx, self._ctx.settings.server
        hub = Hub(SYSTEM_CLOCK, per_person=config.streams_per_person, per_process=config.streams_per_process)
        tickets = Tickets(ctx.services.get(CACHE), SYSTEM_CLOCK)
        looks = Looks(hub, load_authenticator(ctx), tickets, ctx.draining, SYSTEM_CLOCK)
        socket = LiveSocket(looks, (server.public_url, *server.cors_origins))
        return LiveRoutes(tickets, EventStream(looks), socket), hub

    def _serve_grpc(self, config: ApiConfig) -> None:
        from streamgate_api.rpc.server import RpcServer, address_beside

        ctx = self._ctx
        address = address_beside(ctx.base_urls[SELF], ctx.settings.server, config.grpc_port)
        self._units.append(RpcServer(self._app, address, ctx.draining, is_there=self._is_there))

    def _own_description(self) -> Description:
        """Of the gateway's listener: routes, what its mounts document, and what every listener answers."""
        app = self._ctx.apps[SELF]
        assert isinstance(app, App)
        return app.description

    async def _of_this_process(self) -> Description:
        from streamgate_api.described import completed

        if self._completed is None:
            self._completed = Description.of(completed(orjson.loads(self._own_description().document)))
        return self._completed

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes

    @hookimpl
    def collect_subscriptions(self) -> Sequence[EventSubscription]:
        return [on_everyone(LIVE, self._hub.on_update, resync=self._hub.resync)]

    @hookimpl
    def collect_mounts(self) -> Sequence[Mount]:
        return self._mounts

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return self._units

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return self._checks


PLUGIN = PluginInfo(
    name="api",
    summary="The gateway: contents, gates and live progress, gRPC, and every other service's paths when split.",
    build=ApiPlugin,
    needs=(METADATA, AUTH),
    may_need=(CACHE, NFT, STREAMING),
    tells=(ANNOUNCE_WANTED,),
    hears=(ANNOUNCE, LIVE),
    config=ApiConfig,
    port=SERVICES["api"].port,
    prefixes=SERVICES["api"].prefixes,
)
