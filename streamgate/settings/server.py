"""How a process serves HTTP."""

from __future__ import annotations

import ipaddress
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from streamgate.settings.fields import POSITIVE, config_field, url_of


def _is_origin(_: Any, __: Any, url: str) -> None:
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("is an origin: scheme://host[:port] and nothing else")


def _are_origins(_: Any, __: Any, origins: tuple[str, ...]) -> None:
    for origin in origins:
        if origin != "*":
            url_of("http", "https")(None, None, origin)
            _is_origin(None, None, origin)


def _are_networks(_: Any, __: Any, networks: tuple[str, ...]) -> None:
    for network in networks:
        ipaddress.ip_network(network, strict=False)


@attrs.frozen(kw_only=True)
class ServerSettings:
    """HTTP: where it listens and how long it waits."""

    host: str = config_field("127.0.0.1", help="Address to bind. Images set 0.0.0.0.", env="SERVER_HOST")
    port: int | None = config_field(
        None,
        help="HTTP port; without one, 9090 for --all and the service's own for --only. 0 takes any free one.",
        env="SERVER_PORT",
        validator=attrs.validators.optional(attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(65535))),
    )
    public_url: str = config_field(
        "",
        help="Origin people use (https://video.example). Sign-in domains and links use it; required in prod.",
        validator=attrs.validators.and_(url_of("http", "https"), _is_origin),
    )
    cors_origins: tuple[str, ...] = config_field(
        (),
        help="Origins of other sites whose pages may call this API; public_url's own always may. * is anybody, without "
        "credentials.",
        validator=_are_origins,
    )
    trusted_proxies: tuple[str, ...] = config_field(
        (),
        help="Networks (CIDR) of proxies in front, whose X-Forwarded-For is believed.",
        validator=_are_networks,
    )
    engine: Literal["hypercorn", "uvicorn"] = config_field(
        "hypercorn",
        help="The HTTP server. uvicorn (extra: streamgate-kernel[uvicorn]) answers 2 to 4 times as much.",
    )
    read_timeout_s: float = config_field(
        30.0, help="Longest wait for a request's next bytes.", env="SERVER_READ_TIMEOUT", validator=POSITIVE
    )
    write_timeout_s: float = config_field(
        60.0, help="Longest wait for a client to take bytes.", env="SERVER_WRITE_TIMEOUT", validator=POSITIVE
    )
    internal_host: str = config_field("127.0.0.1", help="Address the internal listener binds.")
    internal_port: int | None = config_field(
        None,
        help="A second listener with /metrics, /health and /ready only, without credentials; none without a port.",
        validator=attrs.validators.optional(attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(65535))),
    )
    drain_timeout_s: float = config_field(25.0, help="Time to finish what runs after SIGTERM.", validator=POSITIVE)
    max_headers: int = config_field(100, help="Most headers of a request.", validator=POSITIVE)
    max_header_bytes: int = config_field(
        32_768,
        help="Names and values of a request's headers together; at most 60000.",
        validator=attrs.validators.and_(POSITIVE, attrs.validators.le(60_000)),
    )
    max_url_bytes: int = config_field(
        8_192,
        help="Path and query of a request; at most 60000.",
        validator=attrs.validators.and_(POSITIVE, attrs.validators.le(60_000)),
    )
    max_body_bytes: int = config_field(
        1_048_576, help="Largest JSON body. Uploads have their own limits.", validator=POSITIVE
    )
