"""What a process says, and what it loads."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.settings.fields import config_field, url_of


@attrs.frozen(kw_only=True)
class LogSettings:
    """What is written to standard error, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = config_field(
        "INFO", help="The least that is written.", reload=True
    )
    format: Literal["console", "json"] = config_field(
        "console", help="console for people, json for machines.", reload=True
    )


@attrs.frozen(kw_only=True)
class TelemetrySettings:
    """What a process tells machines: traces, and its log for the monitor."""

    otlp_url: str = config_field(
        "",
        help="Collector that spans are sent to, OTLP over HTTP (http://collector:4318); empty: none are made.",
        validator=url_of("http", "https"),
    )
    sample_ratio: float = config_field(
        0.01,
        help="Share of the requests that are traced, 0 to 1; decided where a request comes in.",
        validator=attrs.validators.and_(attrs.validators.ge(0.0), attrs.validators.le(1.0)),
    )
    trust_traceparent: Literal["proxies", "everybody", "nobody"] = config_field(
        "proxies", help="Whose traceparent header is believed; proxies: server.trusted_proxies, and this machine."
    )
    service_name: str = config_field(
        "", help="service.name of its spans and log records; empty: streamgate, or the service's own with --only."
    )
    ship_logs: Literal["DEBUG", "INFO", "WARNING", "ERROR", "NOTHING"] = config_field(
        "INFO", help="The least of the log that is sent to the monitor, whatever log.level shows."
    )
    ship_requests_per_s: int = config_field(
        200,
        help="How many lines of ordinary requests (fast and good; reads, and what the audit trail leaves out) of each "
        "second are sent to the monitor. The log itself has all.",
        validator=attrs.validators.ge(0),
    )

    ship_metrics_s: float = config_field(
        15.0,
        help="How often the numbers of a process are sent to the monitor; 0: never.",
        validator=attrs.validators.ge(0),
    )

    @property
    def tapped_from(self) -> str:
        """The least level the log must make, beside what is shown; "" where none of it is sent."""
        return "" if self.ship_logs == "NOTHING" else self.ship_logs


@attrs.frozen(kw_only=True)
class ServicesSettings:
    """Calls between services."""

    wire_local: bool = config_field(False, help="Send local service calls through their wire form too (tests).")


@attrs.frozen(kw_only=True)
class PluginSettings:
    """Which installed plugins count."""

    disabled: tuple[str, ...] = config_field((), help="Installed plugins that must not be loaded.")
    required: tuple[str, ...] = config_field((), help="Third-party plugins without which the start fails.")
