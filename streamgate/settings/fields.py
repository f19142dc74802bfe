"""What a section of the configuration is made of: fields with help, secrets, URLs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
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
    reload: bool = False,
) -> Any:
    """A field of a config section, with a sentence of help (shown by `config show --help` and the reference).

    Types: str, int, float, bool, Secret, Path, Literal, `X | None`, `tuple[X, ...]`, another attrs class,
    `dict[str, X]`. A Secret `key` may also be given as `key_file` (or the variable with `_FILE`).

    Args:
        validator: attrs validator; its ValueError is shown beside the offending value's origin.
        env: a second variable name for it, beside `STREAMGATE_<SECTION>__<KEY>`.
        url_parts: variables that make it up when no URL is given.
        reload: a running process takes a new value (SIGHUP, or the file changed). Whoever owns the section hears of it
            by `PluginContext.reloads`; without that the declaration is a fault.
    """
    metadata = {"help": help, "env": env, "url_parts": url_parts, "reload": reload}
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
