"""Which service listens where, and why: the port map, checked before anything binds."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import attrs

from streamgate.plugins import PluginInfo

ANY_HOST = ("0.0.0.0", "::", "")  # noqa: S104 (compared with, not bound)
ALL_PORT = 9090  # the gateway's own, from the mission's table


@attrs.frozen(kw_only=True)
class Listener:
    """One HTTP listener. `services` share it; `origin` says where the port comes from."""

    services: tuple[str, ...]
    host: str
    port: int
    origin: str

    @property
    def name(self) -> str:
        return "all" if len(self.services) != 1 else self.services[0]

    @property
    def base_url(self) -> str:
        """For people and processes on this machine."""
        return self._url("127.0.0.1" if self.host in ANY_HOST else self.host)

    @property
    def advertised_url(self) -> str:
        """For other machines: where every address is bound, the one this host's own name has."""
        return self._url(_own_address() if self.host in ANY_HOST else self.host)

    def _url(self, host: str) -> str:
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def plan_listeners(
    services: Sequence[PluginInfo], *, run_all: bool, host: str, port: int | None, port_origin: str
) -> tuple[list[Listener], list[str]]:
    """The listeners of a process and what is wrong with them (one line a fault).

    `--all` binds one port; `--only x` binds x's own, or the given one when exactly one service is named;
    `--only a,b` binds each service's own.
    """
    names = tuple(info.name for info in services)
    if run_all:
        chosen = ALL_PORT if port is None else port
        origin = "default of --all" if port is None else port_origin
        return [Listener(services=names, host=host, port=chosen, origin=origin)], []
    if port is not None and len(services) > 1:
        fault = (
            f"{port_origin}: one port was given, but {len(services)} services are named ({', '.join(names)}); "
            "each binds its own port, so leave the port out or name one service"
        )
        return [], [fault]
    listeners = [
        Listener(
            services=(info.name,),
            host=host,
            port=info.port if port is None else port,
            origin=f"default of {info.name}" if port is None else port_origin,
        )
        for info in services
    ]
    faults = []
    seen: dict[int, str] = {}
    for listener in listeners:
        if listener.port and listener.port in seen:
            faults.append(f"{listener.name} and {seen[listener.port]} both want port {listener.port}")
        seen[listener.port] = listener.name
    return listeners, faults
