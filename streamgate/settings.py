"""The kernel's own sections of the configuration. Plugins bring theirs; `config.py` reads them all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def config_field(default: Any = attrs.NOTHING, *, help: str, factory: Any = None, validator: Any = None) -> Any:
    """A field of a config section, with a sentence of help (shown by `config show --help` and the reference)."""
    if factory is not None:
        return attrs.field(factory=factory, metadata={"help": help}, validator=validator)
    return attrs.field(default=default, metadata={"help": help}, validator=validator)


@attrs.frozen(kw_only=True)
class ServerSettings:
    host: str = config_field("127.0.0.1", help="Address to bind. Images set 0.0.0.0. Also SERVER_HOST.")
    port: int | None = config_field(None, help="HTTP port; by default the service's own (9090 for --all). Also SERVER_PORT.")
    public_url: str = config_field(
        "", help="Origin people use (https://video.example). Sign-in domains and links use it; required in prod."
    )
    read_timeout_s: float = config_field(30.0, help="Longest wait for a request's next bytes. Also SERVER_READ_TIMEOUT.")
    write_timeout_s: float = config_field(60.0, help="Longest wait for a client to take bytes. Also SERVER_WRITE_TIMEOUT.")
    drain_timeout_s: float = config_field(25.0, help="Time to finish what runs after SIGTERM.")
    max_body_bytes: int = config_field(1_048_576, help="Largest JSON body. Uploads have their own limits.")


@attrs.frozen(kw_only=True)
class DatabaseSettings:
    url: Secret = config_field(
        Secret(""), help="sqlite:///path or postgresql://user:password@host:port/name. Default: sqlite in the data directory."
    )
    pool_size: int = config_field(8, help="Connections a process keeps open (PostgreSQL).")


@attrs.frozen(kw_only=True)
class BlobSettings:
    url: str = config_field("", help="file:///path (shared by all processes). Default: blobs/ in the data directory.")


@attrs.frozen(kw_only=True)
class BusSettings:
    url: Secret = config_field(Secret("memory:"), help="memory: (one process) or nats://[user:password@]host:port. Also NATS_URL.")


@attrs.frozen(kw_only=True)
class SecretSettings:
    master_key: Secret = config_field(
        Secret(""), help="Wraps every key in the database: 32 bytes, base64. Generated once on the embedded default only."
    )
    master_key_file: str = config_field("", help="File that holds master_key instead.")


@attrs.frozen(kw_only=True)
class LogSettings:
    level: str = config_field("INFO", help="DEBUG, INFO, WARNING or ERROR.")
    format: str = config_field("console", help="console (for people) or json (for machines).")


@attrs.frozen(kw_only=True)
class ServicesSettings:
    wire_local: bool = config_field(False, help="Send local service calls through their wire form too (tests).")


@attrs.frozen(kw_only=True)
class PluginSettings:
    disabled: tuple[str, ...] = config_field((), help="Installed plugins that must not be loaded.")
    required: tuple[str, ...] = config_field((), help="Third-party plugins without which the start fails.")


@attrs.frozen(kw_only=True)
class KernelSettings:
    """All kernel sections. `profile` is '' (none), dev, prod or test."""

    profile: str = ""
    data_dir: Path = Path("data")
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
