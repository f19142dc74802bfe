"""Where rows, bytes, messages and keys are kept."""

from __future__ import annotations

import attrs

from streamgate.settings.fields import POSITIVE, Secret, UrlParts, config_field, url_of


@attrs.frozen(kw_only=True)
class DatabaseSettings:
    """Rows of all plugins: SQLite for one process, PostgreSQL for more."""

    url: Secret = config_field(
        Secret(""),
        help="sqlite:///path or postgresql://user:password@host:port/name. Default: sqlite in the data directory.",
        validator=url_of("sqlite", "postgresql"),
        url_parts=UrlParts(
            scheme="postgresql",
            host="DB_HOST",
            port="DB_PORT",
            default_port=5432,
            name="DB_NAME",
            user="DB_USER",
            password="DB_PASSWORD",  # noqa: S106 - a variable's name
            default_name="streamgate",
        ),
    )
    pool_size: int = config_field(8, help="Connections a process keeps open (PostgreSQL).", validator=POSITIVE)


@attrs.frozen(kw_only=True)
class BlobSettings:
    """Big bytes: sources, segments, pictures."""

    url: str = config_field(
        "",
        help="file:///path (shared by all processes), or s3://bucket?endpoint=https://host&region=…&prefix=… "
        "Default: blobs/ in the data directory.",
        validator=url_of("file", "s3"),
    )
    access_key: Secret = config_field(
        Secret(""), help="S3 access key. Without one: AWS_ACCESS_KEY_ID and AWS's other usual places."
    )
    secret_key: Secret = config_field(Secret(""), help="S3 secret key, with access_key.")
    reserve_bytes: int = config_field(
        536_870_912,
        help="Free space on the disk that is left alone: writing is refused (503 blobs.full) before that. Files only.",
    )


@attrs.frozen(kw_only=True)
class BusSettings:
    """How processes reach each other."""

    url: Secret = config_field(
        Secret("memory:"),
        help="memory: (one process) or nats://[user:password@]host:port.",
        env="NATS_URL",
        validator=url_of("memory", "nats", "tls"),
    )
    identity: str = config_field(
        "",
        help="File with this process' identity, from `streamgate identity issue`. NATS does not start without one; "
        "`none` does without: then whoever reaches the bus may do everything.",
    )


@attrs.frozen(kw_only=True)
class SecretSettings:
    """What protects the keys in the database."""

    master_key: Secret = config_field(
        Secret(""),
        help="Wraps every key in the database: 32 bytes, base64. Generated once on the embedded default only.",
    )
    previous_master_keys: Secret = config_field(
        Secret(""),
        help="Former master keys, with blanks or lines between: they open what `keys rewrap` has yet to wrap.",
    )
    master_key_file: str = config_field("", help="File that holds master_key; it is read at start.")
