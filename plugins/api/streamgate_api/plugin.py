"""The gateway's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.auth import AUTH
from streamgate.contracts.metadata import METADATA
from streamgate.contracts.prefixes import SERVICES
from streamgate.hooks import hookimpl
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.web.routes import Route


class ApiPlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_api.content import ContentRoutes

        self._content = ContentRoutes(ctx.services.get(METADATA), ctx.services.get(AUTH))

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._content.routes()


PLUGIN = PluginInfo(
    name="api",
    summary="The gateway: contents and gates, and every other service's paths when split.",
    build=ApiPlugin,
    needs=(METADATA, AUTH),
    port=SERVICES["api"].port,
    prefixes=SERVICES["api"].prefixes,
)
