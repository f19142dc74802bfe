"""The layers of the configuration, each read against the known keys: files, then variables, then flags.

A layer adds to `Collected`: later ones replace earlier values key by key (a list as a whole, a map per key).
Faults are collected, never raised, so that a person sees all of them at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from streamgate.config.values import Key, Raw, Unfit, keys_of, parse
from streamgate.settings import Secret

PREFIX = "STREAMGATE_"
KeyPath = tuple[str, ...]

_LARGEST_SECRET_BYTES = 65_536


@attrs.frozen
class Fault:
    """One thing wrong: where it was said, which key, what is wrong and what to do."""

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


@attrs.frozen
class Value:
    """A value and where it was said."""

    value: Any
    origin: str


@attrs.define
class Collected:
    """What the layers said so far. `elements` are the keys of maps, also of those that are empty."""

    values: dict[KeyPath, Value] = attrs.field(factory=dict)
    elements: dict[KeyPath, str] = attrs.field(factory=dict)
    faults: list[Fault] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    def fault(self, where: str, path: KeyPath, message: str) -> None:
        self.faults.append(Fault(where, ".".join(path), message))

    def put(self, path: KeyPath, key: Key, raw: Raw, where: str) -> None:
        try:
            self.values[path] = Value(parse(key.type, raw), where)
        except Unfit as unfit:
            shown = "the value (hidden)" if key.is_secret else _shown(raw)
            self.fault(where, path, f"{shown} {unfit}{_example(key)}{kubernetes_hint(where, raw)}")

    def put_secret_file(self, path: KeyPath, file: str, where: str) -> None:
        """The value of a secret from a file, its last line break left out."""
        try:
            data = Path(file).expanduser().read_bytes()
            if not data.strip() or len(data) > _LARGEST_SECRET_BYTES:
                self.fault(where, path, f"the file {file} is {'too large' if data.strip() else 'empty'}")
                return
            self.values[path] = Value(Secret(data.decode().rstrip("\r\n")), f"{where} → {file}")
        except (OSError, UnicodeDecodeError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8 text"
            self.fault(where, path, f"the file {file} cannot be read: {reason}")


def _shown(raw: Raw) -> str:
    return "the key" if raw is None else repr(raw)


def _example(key: Key) -> str:
    if key.default in (attrs.NOTHING, None, "") or isinstance(key.default, Secret | dict | tuple):
        return ""
    shown = str(key.default).lower() if isinstance(key.default, bool) else key.default
    return f" (the default is {shown})"


def kubernetes_hint(where: str, raw: Raw) -> str:
    if isinstance(raw, str) and raw.startswith("tcp://") and where.endswith("_PORT"):
        return (
            f"; Kubernetes sets it for a Service named {where.removesuffix('_PORT').lower()!r}: "
            "rename that Service or set enableServiceLinks: false"
        )
    return ""


def near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def spelled(name: str) -> str:
    """A key as a variable spells it."""
    return re.sub(r"[^A-Za-z0-9]", "_", name).upper()


def variable_name(path: KeyPath) -> str:
    return PREFIX + "__".join(spelled(part) for part in path)


def walk(keys: Mapping[str, Key], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Key]]:
    """Every value that can be named without a map's key."""
    for name, key in keys.items():
        if key.is_section:
            yield from walk(keys_of(key.type), (*path, name))
        elif key.element is None:
            yield (*path, name), key


def read_flags(root: Mapping[str, Key], flags: Mapping[str, object], into: Collected) -> None:
    """What the command line says: dotted key → value. A key that is not there is a defect of ours."""
    for dotted, value in flags.items():
        path = tuple(dotted.split("."))
        key = dict(walk(root))[path]
        into.put(path, key, str(value), f"--{path[-1].replace('_', '-')}")
