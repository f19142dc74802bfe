"""One process: build → run → drain. `--all` and `--only` differ in nothing else.

prepare (`prepare.py`) → build plugins → collect their hooks
→ start units (bus · plugins · services, events · HTTP · announcements) → wait → drain in reverse
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import attrs
from loguru import logger
from starlette.types import ASGIApp

from streamgate import __version__, hooks
from streamgate.announce import Announcement, Announcer
from streamgate.bus import Bus
from streamgate.config.reload import Reloader, Reloads
from streamgate.engine.server import PortBusy, Server, bind
from streamgate.events import Events, EventsUnit
from streamgate.health import Check, Readiness, introspection_of, introspections_of, probe_all
from streamgate.hooks import Hooks, Tagged
from streamgate.identity.grants import check_heard
from streamgate.identity.joining import join_bus
from streamgate.lifecycle import Lifecycle, SimpleUnit, StartFailed, Unit
from streamgate.plugins import (
    PluginContext,
    PluginInfo,
    discover_specs,
    load_authenticator,
    load_edge,
    load_process_units,
)
from streamgate.ports import Listener
from streamgate.prepare import Prepared, RunOptions, prepare
from streamgate.services import Offer, Services
from streamgate.start import StartFault
from streamgate.telemetry.exposition import Exposition
from streamgate.telemetry.process import internal_app, log_taker, service_name, telemetry_units
from streamgate.telemetry.requests import LineWriter
from streamgate.web.access import AccessLog, RequestObserver
from streamgate.web.app import build_app
from streamgate.web.routes import Route

V = TypeVar("V")

SWITCH_S = 0.0002
"""For how long another thread (of a database, of the log) may hold the interpreter while the event loop wants it back:
Python's own 5 ms are lost at each signature and digest, which let go of it (docs/decisions/0105)."""


class Process:
    """A built process. `start` returns when it serves; `stop` when it has drained."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.settings = prepared.config.settings
        self.began_s = time.monotonic()
        who = "all" if prepared.options.only is None else "+".join(prepared.options.only)
        self.source = f"{who}@{socket.gethostname()}-{os.getpid()}"
        self.bus: Bus = join_bus(self.settings.bus, name=self.source)
        self.services = Services(self.bus, source=self.source, wire_local=self.settings.services.wire_local)
        self.events = Events(self.bus, source=self.source)
        self.hooks = Hooks()
        self.hooks.add_specs(discover_specs())
        self.lifecycle = Lifecycle()
        self.reloads = Reloads()
        self.reloads.subscribe("log", log_taker(self.settings, prepared.options.only))
        self.base_urls: dict[str, str] = {}
        self.apps: dict[str, ASGIApp] = {}
        self.draining = asyncio.Event()
        self.left_out: dict[str, str] = {f.name: f.fault for f in prepared.found if f.fault}
        builtin = {f.name for f in prepared.found if f.is_builtin}
        self.required = builtin.union(self.settings.plugins.required)
        self.checks: dict[str, list[Check]] = {}

    def build(self) -> None:
        """Binds the ports, builds the plugins, wires them. On a fault nothing stays bound."""
        sockets: list[socket.socket] = []
        listeners: list[Listener] = []
        try:
            busy: list[str] = []
            for planned in (*self.prepared.listeners, *self._internal()):
                try:
                    sockets.append(bind(planned.host, planned.port))
                    listeners.append(attrs.evolve(planned, port=sockets[-1].getsockname()[1]))
                except PortBusy as fault:
                    busy.append(f"{planned.name} ({planned.origin}): {fault.strerror}")
            if busy:
                raise StartFault(busy)
            self.base_urls.update({name: each.base_url for each in listeners for name in each.services})
            if not self.settings.server.public_url:
                server = attrs.evolve(self.settings.server, public_url=listeners[0].base_url)
                self.settings = attrs.evolve(self.settings, server=server)
            shared: dict[object, Any] = {}
            for info in self.prepared.chosen:
                self._build_plugin(info, shared)
            self._offer_services()
            self._plan_units(listeners, sockets, shared)
        except BaseException:
            for each in sockets:
                each.close()
            raise

    def context_for(self, info: PluginInfo, shared: dict[object, Any]) -> PluginContext:
        config = self.prepared.config
        return PluginContext(
            name=info.name,
            config=None if info.config is None else config.section(info.name),
            settings=self.settings,
            services=self.services,
            events=self.events,
            bus=self.bus,
            hooks=self.hooks,
            mode=self.prepared.options.mode,
            selected=tuple(chosen.name for chosen in self.prepared.chosen),
            base_urls=self.base_urls,
            reloads=self.reloads,
            apps=self.apps,
            draining=self.draining,
            shared_values=shared,
        )

    def _build_plugin(self, info: PluginInfo, shared: dict[object, Any]) -> None:
        """A built-in or required plugin must build; a stranger's that fails is named and left out."""
        with self._left_out_on_fault(info.name):
            plugin = info.build(self.context_for(info, shared))
            self.hooks.register(info.name, plugin, required=info.name in self.required)

    @contextmanager
    def _left_out_on_fault(self, plugin: str) -> Iterator[None]:
        try:
            yield
        except Exception as fault:
            if plugin in self.required:
                raise
            self.left_out[plugin] = f"{type(fault).__name__}: {fault}"
            logger.bind(plugin=plugin).opt(exception=fault).error("plugin does not fit; left out")

    def _offer_services(self) -> None:
        for tagged in self.hooks.collect(hooks.collect_services):
            with self._left_out_on_fault(tagged.plugin):
                self.services.offer(tagged.value)
        for check in self.hooks.collect(hooks.collect_checks):
            self.checks.setdefault(check.plugin, []).append(check.value)
        for info in self.prepared.chosen:
            if info.kind == "service":
                for ref in introspections_of(info.name, info.offers):
                    self.services.offer(Offer(ref, _Introspector(self, info)))
        self.services.settle()

    def _plan_units(
        self, listeners: Sequence[Listener], sockets: Sequence[socket.socket], shared: dict[object, Any]
    ) -> None:
        subscriptions = []
        for heard in self.hooks.collect(hooks.collect_subscriptions):
            with self._left_out_on_fault(heard.plugin):
                check_heard(next(info for info in self.prepared.chosen if info.name == heard.plugin), heard.value)
                subscriptions.append(heard.value)
        routes = self._without_clashes(self.hooks.collect(hooks.collect_routes), _place)
        mounts = self._without_clashes(self.hooks.collect(hooks.collect_mounts), lambda mount: mount.prefix)
        kernel = PluginInfo(name="kernel", summary="", build=lambda ctx: ctx)
        authenticator = load_authenticator(self.context_for(kernel, shared))
        edge = load_edge(self.context_for(kernel, shared))
        who = service_name(self.settings, self.prepared.options.only)
        exposition = Exposition(self.bus, mode=self.prepared.options.mode, service=who, began_s=self.began_s)
        process_units = load_process_units(self.context_for(kernel, shared))
        observers = [unit.on_request for unit in process_units if isinstance(unit, RequestObserver)]
        lines = LineWriter(self.settings.log, who)
        self.reloads.subscribe("log", lines.take)
        servers: list[Server] = []
        announcements: list[Announcement] = []
        measures = exposition.route(is_open_to_loopback=self.settings.profile == "dev")
        for listener, bound in zip(listeners, sockets, strict=True):
            if not listener.services:
                internal = internal_app(exposition, authenticator, self.settings.server, self.began_s, self.readiness)
                servers.append(Server("http:internal", internal, bound, self.settings.server))
                logger.bind(url=listener.base_url).info("internal listener")
                continue
            app = build_app(
                routes=[*self._for_listener(routes, listener), measures],
                mounts=self._for_listener(mounts, listener),
                authenticator=authenticator,
                settings=self.settings.server,
                service=listener.name if listener.name != "all" else "streamgate",
                mode=self.prepared.options.mode,
                readiness=functools.partial(self.readiness, listener.services),
                began_s=self.began_s,
                access_log=AccessLog(lines, observers),
                policy=edge,
            )
            self.apps.update(dict.fromkeys(listener.services, app))
            servers.append(Server(f"http:{listener.name}", app, bound, self.settings.server))
            announcements += self._announcements(listener, app.description.sha256, edge.hop)
        found_units = self.hooks.collect(hooks.collect_units)
        plugin_units = [*(tagged.value for tagged in found_units), *process_units]
        before = _names_before_events(plugin_units)
        self.lifecycle.add(telemetry_units(self.settings, service=who, instance=self.source))
        self.lifecycle.add([SimpleUnit("bus", self.bus.start, self.bus.stop)])
        self.lifecycle.add(
            [
                *plugin_units,
                SimpleUnit("services", self.services.start, self.services.stop, needs=before),
                EventsUnit(self.bus, subscriptions, needs=(*before, "services")),
            ],
            optional=[tagged.value.name for tagged in found_units if tagged.plugin not in self.required],
        )
        self.lifecycle.add(servers)
        self.lifecycle.add([Reloader(self.prepared.config, self.prepared.read_config, self.reloads)])
        if not self.bus.is_local:
            self.lifecycle.add([Announcer(self.bus, announcements)])

    def _internal(self) -> list[Listener]:
        """The listener for machines of the operator, where one is wanted."""
        server, origin = self.settings.server, "server.internal_port"
        if server.internal_port is None:
            return []
        return [Listener(services=(), host=server.internal_host, port=server.internal_port, origin=origin)]

    def _announcements(self, listener: Listener, openapi_sha256: str, hop: str) -> list[Announcement]:
        """What the gateway is told: each service with its own prefixes and those of its extensions."""
        return [
            Announcement(
                service=name,
                instance=self.source,
                base_url=listener.advertised_url,
                prefixes=tuple(
                    p for info in self.prepared.chosen if self._home(info.name) == name for p in info.prefixes
                ),
                openapi_sha256=openapi_sha256,
                hop=hop,
            )
            for name in listener.services
        ]

    def _without_clashes(self, found: Sequence[Tagged[V]], place: Callable[[V], object]) -> list[Tagged[V]]:
        """A stranger's route or mount does not take the place of a required plugin's, nor stop the start."""
        taken: dict[object, str] = {}
        kept = []
        for tagged in found:
            owner = taken.setdefault(place(tagged.value), tagged.plugin)
            with self._left_out_on_fault(tagged.plugin):
                if owner != tagged.plugin:
                    raise ValueError(f"{place(tagged.value)} belongs to {owner}")
                kept.append(tagged)
        return kept

    def _for_listener(self, tagged: Sequence[Tagged[V]], listener: Listener) -> list[V]:
        return [each.value for each in tagged if self._home(each.plugin) in listener.services]

    def _home(self, plugin: str) -> str:
        """The service on whose listener a plugin's routes appear: itself, or what it extends."""
        info = next(info for info in self.prepared.chosen if info.name == plugin)
        if info.kind == "service":
            return info.name
        return next(chosen.name for chosen in self.prepared.chosen if chosen.name in info.extends)

    # --- readiness ----------------------------------------------------------------------------

    async def readiness(self, services: Sequence[str] = ()) -> Readiness:
        """What these services of this process (all, where none is named) depend on, probed now. An absent remote
        service is shown, but only those routes fail that need it, so it does not make the process unready."""
        checks = {} if self.bus.is_local else {"bus": Check("bus", self.bus.ping)}
        for info in self.prepared.chosen:
            if services and self._home(info.name) not in services:
                continue
            for check in self.checks.get(info.name, ()):
                checks.setdefault(check.name, check)
            for ref in info.needs:
                if not self.services.is_local(ref):
                    ping = self.services.get(introspection_of(ref.name)).ping
                    checks.setdefault(f"service:{ref.name}", Check(f"service:{ref.name}", ping, critical=False))
        results = await probe_all(list(checks.values()))
        return Readiness(
            ready=all(result.ok or not result.critical for result in results.values()),
            checks=results,
            service=services[0] if len(services) == 1 else "streamgate",
            version=__version__,
            mode=self.prepared.options.mode,
            uptime_s=round(time.monotonic() - self.began_s, 3),
        )

    async def start(self) -> None:
        await self.lifecycle.start()
        self.left_out |= {name: f"unit did not start: {fault}" for name, fault in self.lifecycle.failed.items()}
        self.left_out |= {fault.plugin: str(fault) for fault in self.hooks.faults}

    async def stop(self) -> list[str]:
        self.draining.set()
        return await self.lifecycle.stop(deadline_s=self.settings.server.drain_timeout_s)


def _place(route: Route) -> str:
    """What two routes cannot both have, however their parameters are named."""
    return f"{route.method} {re.sub(r'{[^}]*}', '{}', route.path)}"


def _names_before_events(units: Sequence[Unit]) -> tuple[str, ...]:
    """Units that must run before the first event or call is handled: all but those that wait for `events`
    themselves (an outbox relay, which would otherwise tell a room that is still empty)."""
    late = {"events", "services"}
    while True:
        found = {unit.name for unit in units if unit.name not in late and late.intersection(unit.needs)}
        if not found:
            return tuple(unit.name for unit in units if unit.name not in late)
        late |= found


@attrs.define
class _Introspector:
    process: Process
    info: PluginInfo

    async def ping(self) -> str:
        return "answers"

    async def readiness(self) -> Readiness:
        return await self.process.readiness((self.info.name,))


async def serve(prepared: Prepared, *, on_ready: Callable[[Process], None]) -> int:
    """Runs until SIGTERM or SIGINT; a second signal leaves at once. Returns the exit code."""
    process = Process(prepared)
    try:
        process.build()
    except Exception as fault:
        logger.opt(exception=fault).debug("build failed")
        raise StartFault([str(fault) or repr(fault)]) from fault
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stopping.is_set():
            os._exit(130)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    try:
        await process.start()
    except StartFailed as fault:
        raise StartFault([str(fault)]) from fault
    on_ready(process)
    await stopping.wait()
    logger.bind(service=process.source).info("draining")
    stuck = await process.stop()
    return 1 if stuck else 0


def run(options: RunOptions, *, on_ready: Callable[[Process], None]) -> int:
    """The whole life of a process, with uvloop. `on_ready` is told when it serves.

    Raises:
        StartFault: it did not start.
    """
    import uvloop

    sys.setswitchinterval(SWITCH_S)
    prepared = prepare(options)
    settings = prepared.config.settings
    log_taker(settings, options.only)(settings.log)
    for note in prepared.config.notes:
        logger.warning(note)
    return uvloop.run(serve(prepared, on_ready=on_ready))
