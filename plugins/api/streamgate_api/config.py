"""The section `api`."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field

POSITIVE = attrs.validators.gt(0)


@attrs.frozen(kw_only=True)
class ApiConfig:
    """The gateway's own doors, and forwarding when services run in processes of their own (with `--all` nothing is
    forwarded)."""

    grpc_port: int | None = config_field(
        None,
        help="gRPC port; without one, the HTTP port + 100 if that is free. 0 takes any free one.",
        validator=attrs.validators.optional(attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(65535))),
    )
    streams_per_person: int = config_field(
        8, help="Most live connections (events, WebSocket) of one person.", validator=POSITIVE
    )
    streams_per_process: int = config_field(
        10_000, help="Most live connections of all people in one process.", validator=POSITIVE
    )
    services: dict[str, str] = config_field(
        factory=dict,
        help="Where a service is, by name: {upload: http://upload:9091}. Those not named here are found by what they "
        "announce on the bus.",
    )
    connect_timeout_s: float = config_field(2.0, help="Longest wait for a connection to a service.", validator=POSITIVE)
    answer_timeout_s: float = config_field(
        60.0, help="Longest wait for the next bytes of a service's answer, once it has the request.", validator=POSITIVE
    )
