"""From the command line to a process that may start: discover → select → configure → check the start contract."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import attrs

from streamgate.config import Config, ConfigFaults, load_config
from streamgate.config.layers import near
from streamgate.identity.joining import check_identity
from streamgate.plugins import Found, PluginInfo, SelectionFault, discover, select
from streamgate.ports import Listener, plan_listeners
from streamgate.settings import KernelSettings
from streamgate.start import StartFault, check_start


@attrs.frozen(kw_only=True)
class RunOptions:
    """What the command line says. `only` None means all."""

    only: tuple[str, ...] | None = None
    profile: str = ""
    config_file: Path | None = None
    host: str | None = None
    port: int | None = None
    engine: str | None = None

    @property
    def mode(self) -> Literal["all", "only"]:
        return "all" if self.only is None else "only"


@attrs.frozen
class Prepared:
    """A process that may start: chosen, configured, checked; nothing is bound or built yet."""

    options: RunOptions
    found: tuple[Found, ...]
    chosen: tuple[PluginInfo, ...]
    config: Config
    read_config: Callable[[], Config]  # the layers as they are now
    listeners: tuple[Listener, ...]


def read_configuration(options: RunOptions, found: Sequence[Found] | None = None) -> Callable[[], Config]:
    """Reads the layers each time it is called; then it raises ConfigFaults."""
    found = discover() if found is None else found
    flags = {"server.host": options.host, "server.port": options.port, "server.engine": options.engine}
    return functools.partial(
        load_config,
        profile=options.profile,
        file=options.config_file,
        flags={key: value for key, value in flags.items() if value is not None},
        sections={f.info.name: f.info.config for f in found if f.info is not None and f.info.config is not None},
        is_partial=options.only is not None,
    )


def prepare(options: RunOptions) -> Prepared:
    """Everything that can be wrong is said here, all at once.

    Raises:
        StartFault: with one line a fault.
    """
    try:
        found = discover()
        read_config = read_configuration(options, found)
        config = read_config()
        settings = config.settings
        chosen = select(found, options.only, profile=settings.profile, disabled=settings.plugins.disabled)
    except SelectionFault as fault:
        raise StartFault([str(fault)]) from fault
    except ConfigFaults as fault:
        raise StartFault([str(line) for line in fault.faults]) from fault
    run_all = options.only is None
    faults = check_start(settings, chosen, run_all=run_all) + _missing_required(settings, found)
    faults += check_identity(settings.bus, chosen, options.only)
    listeners, port_faults = plan_listeners(
        [info for info in chosen if info.kind == "service"],
        run_all=run_all,
        host=settings.server.host,
        port=settings.server.port,
        port_origin=str(config.origin("server.port")),
    )
    faults += port_faults
    if faults:
        raise StartFault(faults)
    return Prepared(options, tuple(found), tuple(chosen), config, read_config, tuple(listeners))


def _missing_required(settings: KernelSettings, found: Sequence[Found]) -> list[str]:
    names = [f.name for f in found]
    faults = {name: f"is not installed{near(name, names)}" for name in settings.plugins.required}
    faults |= {f.name: f"cannot be loaded: {f.fault}" for f in found if f.name in faults}
    usable = {f.name for f in found if f.info is not None}
    missing = [f"plugins.required: {name} {fault}" for name, fault in faults.items() if name not in usable]
    unknown = sorted(set(settings.plugins.disabled).difference(names))
    return missing + [f"plugins.disabled: no plugin is named {name!r}{near(name, names)}" for name in unknown]
