"""The telemetry of one process put together, for `runtime.py`."""

from __future__ import annotations

import functools
import ipaddress
import time
from collections.abc import Awaitable, Callable, Sequence

from streamgate import __version__
from streamgate.health import Liveness, Readiness
from streamgate.lifecycle import Unit
from streamgate.settings import KernelSettings, LogSettings, ServerSettings
from streamgate.telemetry.export import SpanExport
from streamgate.telemetry.exposition import Exposition, LoopLag
from streamgate.telemetry.logs import setup_telemetry
from streamgate.telemetry.tracing import TRACING, is_loopback
from streamgate.web.access import AccessLog
from streamgate.web.app import App
from streamgate.web.openapi import describe
from streamgate.web.routes import Authenticator
from streamgate.web.system import system_routes


def service_name(settings: KernelSettings, only: Sequence[str] | None) -> str:
    """What this process is called in spans and logs."""
    named = "streamgate" if only is None else "+".join(only)
    return settings.telemetry.service_name or named


def log_taker(settings: KernelSettings, only: Sequence[str] | None) -> Callable[[LogSettings], None]:
    """Sets up the log of this process, but for its requests; for its start and for each reload of `log`."""
    service = service_name(settings, only)
    return functools.partial(setup_telemetry, service=service, tapped=settings.telemetry.tapped_from)


def telemetry_units(settings: KernelSettings, *, service: str, instance: str) -> list[Unit]:
    """Sets what this process decides about traces, and gives the units that start first and stop last."""
    telemetry = settings.telemetry
    TRACING.sample_ratio = telemetry.sample_ratio
    TRACING.trusts = trust_of(telemetry.trust_traceparent, settings.server.trusted_proxies)
    units: list[Unit] = [LoopLag()]
    if telemetry.otlp_url:
        resource = {
            "service.name": service,
            "service.namespace": "streamgate",
            "service.instance.id": instance,
            "service.version": __version__,
        }
        units.append(SpanExport(telemetry.otlp_url, resource))
    return units


def trust_of(whom: str, proxies: Sequence[str]) -> Callable[[str], bool]:
    """Whose `traceparent` counts, by the address of the connection. Whoever is believed can have each of their
    requests traced."""
    if whom != "proxies":
        return lambda address: whom == "everybody"
    networks = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]

    @functools.lru_cache(maxsize=1_000)
    def is_proxy(address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return is_loopback(address) or any(parsed in network for network in networks)

    return is_proxy


def internal_app(
    exposition: Exposition,
    authenticator: Authenticator,
    settings: ServerSettings,
    began_s: float,
    readiness: Callable[[], Awaitable[Readiness]],
) -> App:
    """Of the internal listener: `/metrics`, `/health` and `/ready`, without credentials, and nothing else. Its
    requests are not logged: they come every few seconds for ever."""

    def liveness() -> Liveness:
        uptime_s = round(time.monotonic() - began_s, 3)
        return Liveness(
            status="ok", service=exposition.service, version=__version__, mode=exposition.mode, uptime_s=uptime_s
        )

    about = system_routes(liveness, readiness, lambda: description)
    routes = [exposition.route(is_open=True), *(route for route in about if route.path != "/openapi.json")]
    description = describe(routes, title="StreamGate internal", version=__version__)
    return App(routes, (), authenticator, settings, description, AccessLog(lambda batch: None))
