"""Find plugins, refuse duplicates, fix their order. Nothing is built here.

A plugin's entry point (group `streamgate.plugins`) names a `PluginInfo`: a light, static description.
Importing it must not import drivers; `build` does that, and only in processes that run the plugin.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import attrs
from starlette.types import ASGIApp

from streamgate.bus.base import Bus
from streamgate.config.layers import near
from streamgate.config.reload import Reloads
from streamgate.events import Events
from streamgate.health import Finding
from streamgate.hooks import Hooks
from streamgate.identity.declared import Asked, Told
from streamgate.lifecycle import Unit
from streamgate.services import ServiceRef, Services
from streamgate.settings import KernelSettings
from streamgate.web.routes import Authenticator, EdgePolicy

PLUGIN_GROUP = "streamgate.plugins"
SPEC_GROUP = "streamgate.hookspecs"
AUTHENTICATOR_GROUP = "streamgate.authenticator"
EDGE_GROUP = "streamgate.edge"
PROCESS_UNIT_GROUP = "streamgate.process_units"

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class PluginContext:
    """What the kernel gives a plugin to build itself from.

    `config` is the plugin's own frozen section. `shared(key, factory)` is one object for the process
    (a database engine, a blob store) however many plugins ask. `mode` is how the process was started. Keys of the
    section that reload are heard by `reloads.subscribe(name, taker)`.
    `apps`: the application of the listener each service of this process is on, there when units start: who speaks
    another protocol than HTTP asks it in process. `draining` is set when the process begins to stop, before its
    servers wait for what runs: whatever would not end by itself ends then.
    """

    name: str
    config: Any  # an instance of PluginInfo.config; the plugin knows its class
    settings: KernelSettings
    services: Services
    events: Events
    bus: Bus
    hooks: Hooks
    mode: Literal["all", "only"]
    selected: tuple[str, ...]  # names of all plugins in this process
    base_urls: dict[str, str] = attrs.field(factory=dict)  # service -> its HTTP base in this process
    apps: dict[str, ASGIApp] = attrs.field(factory=dict, repr=False)
    draining: asyncio.Event = attrs.field(factory=asyncio.Event, repr=False)
    reloads: Reloads = attrs.field(factory=Reloads)
    shared_values: dict[object, Any] = attrs.field(factory=dict, repr=False)

    @property
    def data_dir(self) -> Path:
        return self.settings.data_dir

    def shared(self, key: object, factory: Callable[[], T]) -> T:
        if key not in self.shared_values:
            self.shared_values[key] = factory()
        found: T = self.shared_values[key]
        return found


@attrs.frozen(kw_only=True)
class PluginInfo:
    """A plugin, described. An *extension* has no port of its own: it is loaded wherever one of `extends` is.

    Args:
        offers, needs: services by reference; `needs` may be absent at run time (named in `/ready`).
        may_need: services, or some of their methods, that it asks where they are; `/ready` is silent about them.
        tells, hears: events and topics (or plain subjects) it sends and handles; its group's name is the plugin's.
            With `needs` they are all it may do between processes (`streamgate/identity`): the rest is refused.
        acts_as_service: its own loops and jobs call others as `Actor(kind="service")`, with a moderator's rights.
        config: attrs class of its section (`config_field` gives each field its help), or None.
        port: default port of a service when it runs alone.
        prefixes: HTTP paths it owns; the gateway forwards them.
        profiles: profiles it is loaded in by `--all`; empty means always. Naming it in `--only` overrides
            nothing: a plugin outside its profile is a start fault.
        uses_database, uses_blobs: stores it opens (the start contract checks them).
        diagnose: what `streamgate doctor` asks, with the kernel's settings and the plugin's section; it changes
            nothing, waits a few seconds at most and imports its drivers itself.
    """

    name: str
    summary: str
    build: Callable[[PluginContext], object]
    kind: Literal["service", "extension"] = "service"
    offers: tuple[ServiceRef[Any], ...] = ()
    needs: tuple[ServiceRef[Any], ...] = ()
    may_need: tuple[Asked, ...] = ()
    tells: tuple[Told, ...] = ()
    hears: tuple[Told, ...] = ()
    acts_as_service: bool = False
    extends: tuple[str, ...] = ()
    config: type | None = None
    port: int = 0
    prefixes: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    uses_database: bool = False
    uses_blobs: bool = False
    needs_master_key: bool = False
    diagnose: Callable[[KernelSettings, Any], Awaitable[Sequence[Finding]]] | None = None


@attrs.frozen(kw_only=True)
class Found:
    """A plugin that was found, or why it cannot be used. `is_builtin`: ships with StreamGate."""

    name: str
    distribution: str
    version: str
    info: PluginInfo | None
    fault: str = ""

    @property
    def is_builtin(self) -> bool:
        return self.distribution.startswith("streamgate-")


class SelectionFault(Exception):
    """`--only` names something that cannot be run; the message says what to do."""


def discover() -> list[Found]:
    """Every installed plugin, by name. One that fails to import is listed with its fault, not raised.

    Raises:
        SelectionFault: two distributions claim one name.
    """
    found: dict[str, Found] = {}
    for entry in importlib.metadata.entry_points(group=PLUGIN_GROUP):
        distribution = entry.dist.name if entry.dist else "?"
        version = entry.dist.version if entry.dist else "?"
        if entry.name in found and found[entry.name].distribution != distribution:
            raise SelectionFault(
                f"two distributions bring a plugin named {entry.name!r}: {found[entry.name].distribution} and "
                f"{distribution}; uninstall one"
            )
        info, fault = load_plugin(entry)
        found[entry.name] = Found(name=entry.name, distribution=distribution, version=version, info=info, fault=fault)
    return sorted(found.values(), key=lambda f: f.name)


def load_plugin(entry: importlib.metadata.EntryPoint) -> tuple[PluginInfo | None, str]:
    """What an entry point names, or why it cannot be used."""
    try:
        info = entry.load()
    except Exception as fault:
        return None, f"{type(fault).__name__}: {fault}"
    if not isinstance(info, PluginInfo):
        return None, f"{entry.value} is {type(info).__name__}, not a PluginInfo"
    if info.name != entry.name:
        return None, f"calls itself {info.name!r}, but its entry point is named {entry.name!r}"
    return info, ""


def discover_specs() -> list[Callable[..., Any]]:
    """Hook specs that contracts (ours and others') declare beside the kernel's."""
    specs: list[Callable[..., Any]] = []
    for entry in importlib.metadata.entry_points(group=SPEC_GROUP):
        specs.extend(entry.load())
    return specs


def load_authenticator(ctx: PluginContext) -> Authenticator:
    """The one way this installation turns headers into an actor (`sdk/bearer.py`, by entry point, so that the
    kernel knows no service).

    Raises:
        SelectionFault: none is installed, or more than one.
    """
    made: Authenticator = _load_one(AUTHENTICATOR_GROUP, ctx)
    return made


def load_edge(ctx: PluginContext) -> EdgePolicy:
    """What every request meets (`sdk/edge`), found and refused in the same way."""
    made: EdgePolicy = _load_one(EDGE_GROUP, ctx)
    return made


def _load_one(group: str, ctx: PluginContext) -> Any:
    entries = list(importlib.metadata.entry_points(group=group))
    if len({entry.value for entry in entries}) != 1:
        raise SelectionFault(f"one {group} is needed, found {len(entries)}: {entries}")
    return entries[0].load()(ctx)


def load_process_units(ctx: PluginContext) -> list[Unit]:
    """Units that every process runs, whatever its plugins (what the SDK ships to other services: logs, the audit
    trail). An entry is a function of the kernel's own context."""
    units: list[Unit] = []
    for entry in importlib.metadata.entry_points(group=PROCESS_UNIT_GROUP):
        units.extend(entry.load()(ctx))
    return units


def select(
    found: Sequence[Found], only: Sequence[str] | None, *, profile: str, disabled: Sequence[str] = ()
) -> list[PluginInfo]:
    """What this process runs, in the kernel's order: services by their needs, then extensions by name.

    `only` None means all. Broken plugins are left out of `--all` (the caller reports them).

    Raises:
        SelectionFault: unknown name (with suggestions), a broken plugin named outright, a plugin outside
            its profile, an extension named in `only`.
    """
    usable = {f.name: f.info for f in found if f.info is not None and f.name not in disabled}
    if only is None:
        services = [info for info in usable.values() if info.kind == "service" and _fits(info, profile)]
    else:
        services = [_named(name, found, usable, profile) for name in dict.fromkeys(only)]
    chosen = {info.name for info in services}
    extensions = [
        info
        for info in usable.values()
        if info.kind == "extension" and chosen.intersection(info.extends) and _fits(info, profile)
    ]
    return [*_by_need(services), *sorted(extensions, key=lambda info: info.name)]


def _named(name: str, found: Sequence[Found], usable: dict[str, PluginInfo], profile: str) -> PluginInfo:
    info = usable.get(name)
    if info is None:
        broken = next((f for f in found if f.name == name and f.fault), None)
        if broken is not None:
            raise SelectionFault(f"plugin {name!r} ({broken.distribution}) cannot be loaded: {broken.fault}")
        raise SelectionFault(f"no plugin is named {name!r}{near(name, usable)} (installed: {', '.join(usable)})")
    if info.kind != "service":
        raise SelectionFault(f"{name!r} is an extension of {', '.join(info.extends)}: name the service instead")
    if not _fits(info, profile):
        wanted = " or ".join(info.profiles)
        raise SelectionFault(f"plugin {name!r} runs in profile {wanted} only; this is {profile or 'no profile'}")
    return info


def _fits(info: PluginInfo, profile: str) -> bool:
    return not info.profiles or profile in info.profiles


def _by_need(services: Iterable[PluginInfo]) -> list[PluginInfo]:
    """Offerers before those who need them; cycles (services may need each other) fall back to names."""
    remaining = sorted(services, key=lambda info: info.name)
    ordered: list[PluginInfo] = []
    while remaining:
        waiting_for = {ref.name for info in remaining for ref in info.offers}
        free = next(
            (i for i in remaining if not ({r.name for r in i.needs} & waiting_for - {r.name for r in i.offers})),
            remaining[0],
        )
        ordered.append(free)
        remaining.remove(free)
    return ordered
