"""How a process serves HTTP."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import attrs

from streamgate.settings.fields import POSITIVE, config_field, url_of


def _is_origin(_: Any, __: Any, url: str) -> None:
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("is an origin: scheme://host[:port] and nothing else")


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
    max_body_bytes: int = config_field(
        1_048_576, help="Largest JSON body. Uploads have their own limits.", validator=POSITIVE
    )
