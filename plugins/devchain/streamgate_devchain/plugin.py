"""The devchain's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.auth import AUTH
from streamgate.contracts.devchain import DEVCHAIN
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_devchain.config import DevchainConfig

PREFIX = "/api/v1/devchain"


class DevchainPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_devchain.routes import DevchainRoutes
        from streamgate_devchain.service import DevchainService

        self.service = DevchainService(ctx.config, ctx.data_dir / "devchain", ctx.services.get(AUTH))
        self._routes = DevchainRoutes(self.service)

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(DEVCHAIN, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes.routes()

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [SimpleUnit("devchain", self.service.start, self.service.stop)]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [Check("devchain", self.service.probe, critical=False)]


PLUGIN = PluginInfo(
    name="devchain",
    summary="A local chain with a demo collection and a faucet; development only.",
    build=DevchainPlugin,
    offers=(DEVCHAIN,),
    needs=(AUTH,),
    config=DevchainConfig,
    port=9010,
    prefixes=(PREFIX,),
    profiles=("dev", "test"),
)
