"""The section `cache`."""

from __future__ import annotations

import attrs

from streamgate.settings import Secret, UrlParts, config_field, url_of

POSITIVE = attrs.validators.gt(0)


@attrs.frozen(kw_only=True)
class CacheConfig:
    """Where values are kept, and how much: what is used least goes first."""

    url: Secret = config_field(
        Secret("memory:"),
        help="memory: (this process) or redis://[user:password@]host:port[/db] (rediss: for TLS), shared by all.",
        validator=url_of("memory", "redis", "rediss"),
        url_parts=UrlParts(
            scheme="redis",
            host="REDIS_HOST",
            port="REDIS_PORT",
            default_port=6379,
            name="REDIS_DB",
            user="REDIS_USER",
            password="REDIS_PASSWORD",  # noqa: S106 - a variable's name
        ),
    )
    max_bytes: int = config_field(
        64 * 1024 * 1024, help="Bytes of keys and values kept at most (memory:).", validator=POSITIVE
    )
    max_entries: int = config_field(100_000, help="Entries kept at most (memory:).", validator=POSITIVE)
    max_value_bytes: int = config_field(900_000, help="Largest value, as JSON.", validator=POSITIVE)
    default_ttl_s: float = config_field(
        86_400.0, help="How long what is set without a time to live is kept.", validator=POSITIVE
    )
