"""The configuration in print: what a process would use (`streamgate config show`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import yaml

from streamgate.config.layers import KeyPath
from streamgate.config.values import keys_of
from streamgate.settings import Secret

if TYPE_CHECKING:
    from streamgate.config import Config

_ORIGIN_COLUMN = 60


def render_config(config: Config, *, with_origins: bool = False) -> str:
    """The effective configuration as YAML; a secret shows as `…` when it is set. Origins stand in comments."""
    lines = [f"# profile: {config.settings.profile or 'none'}; files: {', '.join(config.files) or 'none'}"]
    for name, value in config.groups():
        lines += _lines(config, (name,), value, with_origins=with_origins)
    return "\n".join(lines)


def _lines(config: Config, path: KeyPath, value: Any, *, with_origins: bool) -> Iterator[str]:
    indent = "  " * (len(path) - 1)
    inner: Mapping[str, Any] | None = None
    if attrs.has(type(value)):
        inner = {name: getattr(value, name) for name in keys_of(type(value))}
    elif isinstance(value, dict) and value:
        inner = value
    if inner is None:
        line = f"{indent}{_scalar(path[-1])}: {show_value(value)}"
        yield f"{line:<{_ORIGIN_COLUMN}}  # {config.origin('.'.join(path))}" if with_origins else line
        return
    yield f"{indent}{_scalar(path[-1])}:"
    for name, each in inner.items():
        yield from _lines(config, (*path, name), each, with_origins=with_origins)


def show_value(value: Any) -> str:
    """A value as YAML on one line, secrets hidden."""
    plain = _plain(value)
    return "[" + ", ".join(_scalar(each) for each in plain) + "]" if isinstance(plain, list) else _scalar(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return "…" if value else ""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _scalar(value: Any) -> str:
    if isinstance(value, str) and not value.isprintable():
        return _dump(value, default_style='"')
    if isinstance(value, str):
        return _dump([value], default_flow_style=True, allow_unicode=True)[1:-1]
    return _dump(value, default_flow_style=True)


def _dump(value: Any, **how: Any) -> str:
    text: str = yaml.safe_dump(value, width=2**31, **how)
    return text.removesuffix("\n").removesuffix("\n...")
