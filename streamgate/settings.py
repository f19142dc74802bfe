"""The kernel's own sections of the configuration. Plugins bring theirs; `config.py` reads them all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import attrs


class Secret:
    """A string that hides itself when printed. `reveal()` is the only way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')" if self._value else "Secret('')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


@attrs.frozen(kw_only=True)
class UrlParts:
    """Variables that together make a URL, for those who have a host and a port and no URL.

    Without `host` set, the others are left unread. `{name}_FILE` serves for the password too.
    """

    scheme: str
    host: str
    port: str
    default_port: int
    name: str = ""
    user: str = ""
    password: str = ""
    default_name: str = ""


def config_field(
    default: Any = attrs.NOTHING,
    *,
    help: str,
    factory: Any = None,
    validator: Any = None,
    env: str = "",
    url_parts: UrlParts | None = None,
) -> Any:
    """A field of a config section, with a sentence of help (shown by `config show --help` and the reference).

    Types: str, int, float, bool, Secret, Path, Literal, `X | None`, `tuple[X, ...]`, another attrs class,
    `dict[str, X]`. A Secret `key` may also be given as `key_file` (or the variable with `_FILE`).

    Args:
        validator: attrs validator; its ValueError is shown beside the offending value's origin.
        env: a second variable name for it, beside `STREAMGATE_<SECTION>__<KEY>`.
        url_parts: variables that make it up when no URL is given.
    """
    metadata = {"help": help, "env": env, "url_parts": url_parts}
    if factory is not None:
        return attrs.field(factory=factory, metadata=metadata, validator=validator)
    return attrs.field(default=default, metadata=metadata, validator=validator)


POSITIVE = attrs.validators.gt(0)


def url_of(*schemes: str) -> Callable[[Any, Any, Any], None]:
    """Validator: empty, or a URL (for NATS several, with commas) of one of these schemes, with a port that is one."""

    def check(_: Any, __: Any, value: Any) -> None:
        url = value.reveal() if isinstance(value, Secret) else value
        for parts in map(urlsplit, url.split(",") if url.startswith(("nats:", "tls:")) else [url]):
            if url and parts.scheme.partition("+")[0] not in schemes:
                raise ValueError(f"must begin with {' or '.join(f'{scheme}:' for scheme in schemes)}")
            if parts.scheme in ("nats", "tls", "http", "https") and not parts.hostname:
                raise ValueError("has no host")
            _ = parts.port  # raises ValueError when it is none

    return check


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
    read_timeout_s: float = config_field(
        30.0, help="Longest wait for a request's next bytes.", env="SERVER_READ_TIMEOUT", validator=POSITIVE
    )
    write_timeout_s: float = config_field(
        60.0, help="Longest wait for a client to take bytes.", env="SERVER_WRITE_TIMEOUT", validator=POSITIVE
    )
    drain_timeout_s: float = config_field(25.0, help="Time to finish what runs after SIGTERM.", validator=POSITIVE)
    max_body_bytes: int = config_field(
        1_048_576, help="Largest JSON body. Uploads have their own limits.", validator=POSITIVE
    )


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
        help="file:///path (shared by all processes). Default: blobs/ in the data directory.",
        validator=url_of("file"),
    )
    reserve_bytes: int = config_field(
        536_870_912, help="Free space on the disk that is left alone: writing is refused (503 blobs.full) before that."
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


@attrs.frozen(kw_only=True)
class SecretSettings:
    """What protects the keys in the database."""

    master_key: Secret = config_field(
        Secret(""),
        help="Wraps every key in the database: 32 bytes, base64. Generated once on the embedded default only.",
    )
    master_key_file: str = config_field("", help="File that holds master_key; it is read at start.")


@attrs.frozen(kw_only=True)
class LogSettings:
    """What is written to standard error, and how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = config_field("INFO", help="The least that is written.")
    format: Literal["console", "json"] = config_field("console", help="console for people, json for machines.")


@attrs.frozen(kw_only=True)
class ServicesSettings:
    """Calls between services."""

    wire_local: bool = config_field(False, help="Send local service calls through their wire form too (tests).")


@attrs.frozen(kw_only=True)
class PluginSettings:
    """Which installed plugins count."""

    disabled: tuple[str, ...] = config_field((), help="Installed plugins that must not be loaded.")
    required: tuple[str, ...] = config_field((), help="Third-party plugins without which the start fails.")


@attrs.frozen(kw_only=True)
class KernelSettings:
    """All kernel sections. `profile` is '' (none), dev, prod or test; the start decides it, no file does."""

    profile: str = ""
    data_dir: Path = config_field(Path("data"), help="Folder of everything the embedded default writes.")
    server: ServerSettings = attrs.field(factory=ServerSettings)
    database: DatabaseSettings = attrs.field(factory=DatabaseSettings)
    blobs: BlobSettings = attrs.field(factory=BlobSettings)
    bus: BusSettings = attrs.field(factory=BusSettings)
    secrets: SecretSettings = attrs.field(factory=SecretSettings)
    log: LogSettings = attrs.field(factory=LogSettings)
    services: ServicesSettings = attrs.field(factory=ServicesSettings)
    plugins: PluginSettings = attrs.field(factory=PluginSettings)

    @property
    def public_url(self) -> str:
        return self.server.public_url

    @property
    def is_embedded(self) -> bool:
        """The embedded default: SQLite and local files, one process."""
        return self.database.url.reveal() in ("",) or self.database.url.reveal().startswith("sqlite")
