"""A plugin without a process around it: its context, and its units started in order.

bus = MemoryBus()
ctx = plugin_context("upload", data_dir=tmp_path, bus=bus, config=UploadConfig())
db = Database.for_plugin(ctx, TABLES, migrations="streamgate_upload.migrations")
async with running(bus_unit(bus), *db.units()):
    ...
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamgate.bus.base import Bus
from streamgate.bus.memory import MemoryBus
from streamgate.events import Events
from streamgate.hooks import Hooks
from streamgate.lifecycle import Lifecycle, SimpleUnit, Unit
from streamgate.plugins import PluginContext, discover_specs
from streamgate.services import Services
from streamgate.settings import DatabaseSettings, KernelSettings, Secret


def plugin_context(
    name: str,
    *,
    data_dir: Path,
    config: Any = None,
    bus: Bus | None = None,
    services: Services | None = None,
    hooks: Hooks | None = None,
    settings: KernelSettings | None = None,
    database_url: str = "",
    shared: dict[object, Any] | None = None,
) -> PluginContext:
    """What the kernel would give the plugin. Pass the same `bus`, `services` and `shared` to plugins that are to be
    in one process.

    Args:
        settings: kernel settings as they are; then `data_dir` and `database_url` are not looked at.
    """
    bus = bus or MemoryBus()
    source = f"{name}@test"
    if hooks is None:
        hooks = Hooks()
        hooks.add_specs(discover_specs())
    return PluginContext(
        name=name,
        config=config,
        settings=settings
        or KernelSettings(profile="test", data_dir=data_dir, database=DatabaseSettings(url=Secret(database_url))),
        services=services or Services(bus, source=source),
        events=Events(bus, source=source),
        bus=bus,
        hooks=hooks,
        mode="all",
        selected=(name,),
        shared_values={} if shared is None else shared,
    )


def bus_unit(bus: Bus) -> Unit:
    return SimpleUnit("bus", bus.start, bus.stop)


@asynccontextmanager
async def running(*units: Unit) -> AsyncIterator[None]:
    """Starts the units in dependency order and stops them in reverse."""
    lifecycle = Lifecycle()
    lifecycle.add(units)
    await lifecycle.start()
    try:
        yield
    finally:
        stuck = await lifecycle.stop()
        if stuck:
            raise AssertionError(f"units did not stop: {', '.join(stuck)}")
