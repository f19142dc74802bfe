"""Cache's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.cache import CACHE
from streamgate.contracts.prefixes import SERVICES
from streamgate.hooks import hookimpl
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_cache.config import CacheConfig


class CachePlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate.sdk.clock import SYSTEM_CLOCK
        from streamgate_cache.memory import MemoryCache
        from streamgate_cache.routes import CacheRoutes
        from streamgate_cache.service import CacheService

        config: CacheConfig = ctx.config
        memory = MemoryCache(max_bytes=config.max_bytes, max_entries=config.max_entries, clock=SYSTEM_CLOCK)
        self.service = CacheService(memory, max_value_bytes=config.max_value_bytes)
        self._routes = CacheRoutes(self.service)

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(CACHE, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes.routes()


PLUGIN = PluginInfo(
    name="cache",
    summary="Values that may be lost at any time.",
    build=CachePlugin,
    offers=(CACHE,),
    config=CacheConfig,
    port=SERVICES["cache"].port,
    prefixes=SERVICES["cache"].prefixes,
)
