"""Plugins in one process without a server: built, wired and started as the runtime does, on the memory bus.

    async with house(tmp_path, ["metadata", "upload"], offers=[Offer(AUTH, FakeAuth())]) as home:
        creator = home.client(Actor(kind="user", user_id="alice", roles=("creator",)))
        await creator.post("/api/v1/upload/init", json={...})

Database and blobs are real and below `tmp_path`; opening another house there is a restart. With `settings` that name
a PostgreSQL database the tables are made there. Local service calls go through their wire form.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import attrs
import httpx
from starlette.types import ASGIApp

from streamgate.bus.base import Bus
from streamgate.bus.memory import MemoryBus
from streamgate.context import ANONYMOUS, Actor
from streamgate.events import Events, EventSubscription, EventsUnit
from streamgate.health import Readiness, probe_all
from streamgate.hooks import (
    Hooks,
    collect_checks,
    collect_mounts,
    collect_routes,
    collect_services,
    collect_subscriptions,
    collect_units,
)
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import PLUGIN_GROUP, PluginInfo, discover_specs, load_plugin
from streamgate.services import Offer, Services
from streamgate.settings import KernelSettings
from streamgate.testing.context import bus_unit, plugin_context, running
from streamgate.testing.furnish import furnish
from streamgate.web.app import App, build_app
from streamgate.wire import from_plain, to_plain

ACTOR_HEADER = "x-test-actor"


class HeaderAuthenticator:
    """Believes the header that `House.client` sends."""

    async def authenticate(self, headers: Mapping[str, str]) -> Actor:
        sent = headers.get(ACTOR_HEADER)
        return ANONYMOUS if sent is None else from_plain(Actor, json.loads(sent))


@attrs.frozen(kw_only=True)
class House:
    """Running plugins. `plugins` are the built objects, by name."""

    app: App
    services: Services
    bus: Bus
    events: Events
    plugins: Mapping[str, Any]  # Any: each plugin's own class

    def client(self, actor: Actor = ANONYMOUS, *, raise_app_exceptions: bool = True) -> httpx.AsyncClient:
        """Speaks to the application as this actor."""
        headers = {} if actor == ANONYMOUS else {ACTOR_HEADER: json.dumps(to_plain(actor))}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=raise_app_exceptions)
        return httpx.AsyncClient(transport=transport, base_url="http://house", headers=headers)


@asynccontextmanager
async def house(
    data_dir: Path,
    names: Sequence[str],
    *,
    configs: Mapping[str, Any] | None = None,
    offers: Sequence[Offer[Any]] = (),
    subscriptions: Sequence[EventSubscription] = (),
    settings: KernelSettings | None = None,
    may_give_up: bool = False,
) -> AsyncIterator[House]:
    """The installed plugins of these names, running.

    Args:
        configs: their sections; by default each has its class' defaults.
        offers, subscriptions: what stands in for services that are not in the house.
        may_give_up: the test means some events to become dead letters.

    Raises:
        AssertionError: at the end, when a group has given up on an event.
    """
    bus = MemoryBus()
    services = Services(bus, source="house@test", wire_local=True)
    hooks = Hooks()
    hooks.add_specs(_specs())
    shared: dict[object, Any] = {}
    plugins: dict[str, Any] = {}
    apps: dict[str, ASGIApp] = {}
    kernel = settings or KernelSettings(profile="test", data_dir=data_dir)
    infos = [_usable(_entries()[name]) for name in names]
    await furnish(kernel, infos)
    for name, info in zip(names, infos, strict=True):
        ctx = attrs.evolve(
            plugin_context(
                name,
                data_dir=data_dir,
                config=_section(info, configs or {}),
                bus=bus,
                services=services,
                hooks=hooks,
                settings=kernel,
                shared=shared,
            ),
            selected=tuple(names),
            apps=apps,
        )
        plugins[name] = info.build(ctx)
        hooks.register(name, plugins[name], required=True)
    for offer in (*(tagged.value for tagged in hooks.collect(collect_services)), *offers):
        services.offer(offer)
    services.settle()
    heard = [tagged.value for tagged in hooks.collect(collect_subscriptions)]
    checks = [tagged.value for tagged in hooks.collect(collect_checks)]
    units = [tagged.value for tagged in hooks.collect(collect_units)]
    before = _before_events(units)

    async def readiness() -> Readiness:
        results = await probe_all(checks)
        return Readiness(ready=all(result.ok for result in results.values()), checks=results)

    app = build_app(
        routes=[tagged.value for tagged in hooks.collect(collect_routes)],
        mounts=[tagged.value for tagged in hooks.collect(collect_mounts)],
        authenticator=HeaderAuthenticator(),
        settings=kernel.server,
        service="house",
        mode="all",
        readiness=readiness,
        began_s=time.monotonic(),
    )
    apps.update(dict.fromkeys(names, app))
    async with running(
        bus_unit(bus),
        *units,
        SimpleUnit("services", services.start, services.stop, needs=("bus",)),
        EventsUnit(bus, [*heard, *subscriptions], needs=("bus", "services", *before)),
    ):
        yield House(app=app, services=services, bus=bus, events=Events(bus, source="house@test"), plugins=plugins)
    given_up = await bus.dead_letters()
    assert may_give_up or not given_up, f"events that ended as dead letters, by group: {given_up}"


_specs = functools.cache(discover_specs)  # what is installed stays so while tests run


@functools.cache
def _entries() -> Mapping[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=PLUGIN_GROUP)}


def _usable(entry: EntryPoint) -> PluginInfo:
    """Loaded each time: a test may have put another in its place."""
    info, fault = load_plugin(entry)
    if info is None:
        raise LookupError(f"plugin {entry.name!r} cannot be loaded: {fault}")
    return info


def _before_events(units: Sequence[Unit]) -> tuple[str, ...]:
    """All but those that themselves wait for the events (an outbox' relay), and those that wait for them."""
    late = {"events"}
    while found := {unit.name for unit in units if unit.name not in late and late.intersection(unit.needs)}:
        late |= found
    return tuple(unit.name for unit in units if unit.name not in late)


def _section(info: PluginInfo, configs: Mapping[str, Any]) -> Any:
    if info.name in configs:
        return configs[info.name]
    return None if info.config is None else info.config()
