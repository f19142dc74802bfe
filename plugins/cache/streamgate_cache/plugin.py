"""Cache's answers to the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.contracts.cache import CACHE
from streamgate.contracts.prefixes import SERVICES
from streamgate.health import Check
from streamgate.hooks import hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PluginContext, PluginInfo
from streamgate.services import Offer
from streamgate.web.routes import Route
from streamgate_cache.config import CacheConfig
from streamgate_cache.diagnose import diagnose
from streamgate_cache.engines import Engine


class CachePlugin:
    def __init__(self, ctx: PluginContext) -> None:
        from streamgate_cache.routes import CacheRoutes
        from streamgate_cache.service import CacheService

        config: CacheConfig = ctx.config
        self._engine = _open_engine(config)
        self.service = CacheService(
            self._engine, max_value_bytes=config.max_value_bytes, default_ttl_s=config.default_ttl_s
        )
        self._routes = CacheRoutes(self.service)

    @hookimpl
    def collect_services(self) -> Sequence[Offer[Any]]:
        return [Offer(CACHE, self.service)]

    @hookimpl
    def collect_routes(self) -> Sequence[Route]:
        return self._routes.routes()

    @hookimpl
    def collect_units(self) -> Sequence[Unit]:
        return [SimpleUnit("cache.engine", on_stop=self._engine.close)]

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        """Without its store the cache answers that it has nothing: slower for others, and no reason to be unready."""
        return [Check("cache", self._engine.probe, critical=False)]


def _open_engine(config: CacheConfig) -> Engine:
    """Nothing is connected yet."""
    url = config.url.reveal()
    if url.startswith("redis"):
        from streamgate_cache.redis_engine import RedisCache

        return RedisCache(url)
    from streamgate.sdk.clock import SYSTEM_CLOCK
    from streamgate_cache.memory import MemoryCache

    return MemoryCache(max_bytes=config.max_bytes, max_entries=config.max_entries, clock=SYSTEM_CLOCK)


PLUGIN = PluginInfo(
    name="cache",
    summary="Values that may be lost at any time.",
    build=CachePlugin,
    offers=(CACHE,),
    config=CacheConfig,
    port=SERVICES["cache"].port,
    prefixes=SERVICES["cache"].prefixes,
    diagnose=diagnose,
)
