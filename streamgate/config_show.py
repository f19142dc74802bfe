"""The configuration in print: what a process would use (`config show`), and the reference of all keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import yaml

from streamgate.config_layers import KeyPath, variable_name
from streamgate.config_values import Key, describe, keys_of
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
        line = f"{indent}{_scalar(path[-1])}: {_shown(value)}"
        yield f"{line:<{_ORIGIN_COLUMN}}  # {config.origin('.'.join(path))}" if with_origins else line
        return
    yield f"{indent}{_scalar(path[-1])}:"
    for name, each in inner.items():
        yield from _lines(config, (*path, name), each, with_origins=with_origins)


def _shown(value: Any) -> str:
    return _scalar(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return "…" if value else ""
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def _scalar(value: Any) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, width=2**31, allow_unicode=True)
    return text.removesuffix("\n...\n").removesuffix("\n")


# --- the reference --------------------------------------------------------------------------------


def render_reference(root: Mapping[str, Key]) -> str:
    """Every key as Markdown: a table a section, with type, default, variable and help."""
    top = [key for key in root.values() if not key.is_section]
    out = ["## At the top level", "", *_table([((key.name,), key) for key in top])]
    for name, key in root.items():
        if key.is_section:
            summary = (key.type.__doc__ or "").strip().splitlines()
            out += ["", f"## {name}", "", *([summary[0], ""] if summary else [])]
            out += _table(list(_rows(keys_of(key.type), (name,))))
    return "\n".join(out) + "\n"


def _rows(keys: Mapping[str, Key], path: KeyPath) -> Iterator[tuple[KeyPath, Key]]:
    for name, key in keys.items():
        here, element = (*path, name), key.element
        if key.is_section:
            yield from _rows(keys_of(key.type), here)
        elif element is not None and element.is_section:
            yield from _rows(keys_of(element.type), (*here, "<key>"))
        else:
            yield here if element is None else (*here, "<key>"), key


def _table(rows: list[tuple[KeyPath, Key]]) -> list[str]:
    lines = ["| Key | Type | Default | Variable | What it is |", "|---|---|---|---|---|"]
    for path, key in rows:
        variables = [f"`{variable_name(path).replace('_KEY_', '<KEY>')}`", *_also(key)]
        default = "required" if key.default is attrs.NOTHING else f"`{_shown(key.default)}`"
        cells = [f"`{'.'.join(path)}`", describe(key.type), default, "<br>".join(variables), key.help]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _also(key: Key) -> list[str]:
    names = [key.env] if key.env else []
    if key.url_parts is not None:
        parts = key.url_parts
        names += [name for name in (parts.host, parts.port, parts.name, parts.user, parts.password) if name]
    return [f"`{name}`" for name in names]
