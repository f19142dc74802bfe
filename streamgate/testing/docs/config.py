"""The reference of every configuration key."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from streamgate.config import root_keys
from streamgate.config.layers import KeyPath, variable_name
from streamgate.config.show import show_value
from streamgate.config.values import Key, keys_of, optional_of
from streamgate.settings import Secret
from streamgate.testing.docs.built import our_plugins

_HEAD = """\
# Configuration reference

*Made from the code by `make fmt`; do not edit.*

Layers, each beating the one before: `config/config.yaml`, `config/config.<profile>.yaml`, the environment, flags of the
command line. `--config FILE` names another file (its profile layer is `FILE` with `.<profile>` before the ending). The
profile (`dev`, `prod`, `test`) is chosen by `--profile` or `STREAMGATE_PROFILE`.

- Unknown keys and variables that begin with `STREAMGATE_` are refused, with the nearest spelling.
  `streamgate config check` names all faults at once; `streamgate config show --origin` says who set what.
- Lists: `[a, b]` in a file, `a,b` in a variable; an empty variable is an empty list. Lists are replaced as a whole.
- Maps are merged key by key. In a variable a map's key is written in capitals with `_` for every other sign, and means
  the key a file spells so; where no file names it, small letters with `:` for `_` (`EIP155_31337` is `eip155:31337`).
- Secrets never show. Each may be given by a file instead: `key_file` in a file, the variable with `_FILE`.
- Seconds in a variable may carry a unit: `30`, `30s`, `1m30s`, `500ms`.
- Of two variables for one key the `STREAMGATE_` one wins. `DB_*` make up the database URL when `DB_HOST` is set.
"""


def config_reference() -> str:
    """The reference of every key of the kernel and of the plugins of this repository.

    Raises:
        RuntimeError: one of our own plugins cannot be loaded.
    """
    infos = our_plugins()
    root = root_keys({info.name: info.config for info in infos if info.config is not None})
    top: list[tuple[KeyPath, Key]] = [((key.name,), key) for key in root.values() if not key.is_section]
    out = [_HEAD, "## At the top level", "", *_table(top)]
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
    lines = ["| Key | Type | Default | Variables | What it is |", "|---|---|---|---|---|"]
    for path, key in rows:
        own = variable_name(tuple("key-of-map" if part == "<key>" else part for part in path))
        variables = [f"`{own.replace('KEY_OF_MAP', '<KEY>')}`", *(f"`{name}`" for name in _also(key))]
        default = "required" if key.default is attrs.NOTHING else f"`{show_value(key.default)}`"
        cells = [f"`{'.'.join(path)}`", describe(key.type), default, "<br>".join(variables), key.help]
        if key.reload:
            cells[-1] += " *Reloads.*"
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def _also(key: Key) -> list[str]:
    names = [key.env] if key.env else []
    if key.url_parts is not None:
        parts = key.url_parts
        names += [name for name in (parts.host, parts.port, parts.name, parts.user, parts.password) if name]
    return names


def describe(type_: Any) -> str:
    """A field's type in words."""
    inner = optional_of(type_)
    if inner is not None:
        return f"{describe(inner)}, or nothing"
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if origin is tuple:
        return f"list of {describe(args[0])}"
    if origin is dict:
        return f"map of {describe(args[1])}"
    if origin is Literal:
        return " or ".join(args)
    words = {str: "text", int: "whole number", float: "number", bool: "true or false", Secret: "secret", Path: "path"}
    return words[type_]
