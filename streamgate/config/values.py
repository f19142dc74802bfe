"""What a configured value may be, and how its text becomes one. Strict: nothing is guessed.

A value is read by the type of its field, never by what YAML takes it for: `no` is the text "no" for a str
and a fault for a bool; `0123` keeps its zero.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs

from streamgate.settings import Secret, UrlParts

Raw = str | None | list[Any]
"""A value before its type is known: text, nothing, or a list of these."""

_INT = re.compile(r"[+-]?\d+(_\d+)*")
_FLOAT = re.compile(r"[+-]?(\d+(_\d+)*)?(\.\d+)?([eE][+-]?\d+)?")
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Unfit(ValueError):
    """The text is not of the field's type. The message completes "'abc' …" and never holds the value."""


@attrs.frozen(kw_only=True)
class Key:
    """One field of a section."""

    name: str
    type: Any
    default: Any  # a factory has been called; attrs.NOTHING when there is none
    help: str = ""
    env: str = ""
    url_parts: UrlParts | None = None
    validator: Any = None
    reload: bool = False

    @property
    def is_section(self) -> bool:
        return attrs.has(self.type) if isinstance(self.type, type) else False

    @property
    def element(self) -> Key | None:
        """What a map holds under each of its keys; None when this is no map."""
        if typing.get_origin(self.type) is not dict:
            return None
        return Key(name="", type=typing.get_args(self.type)[1], default=attrs.NOTHING, help=self.help)

    @property
    def is_secret(self) -> bool:
        return holds_secret(self.type)


_known: dict[type, Mapping[str, Key]] = {}


def keys_of(section: type[Any]) -> Mapping[str, Key]:
    """The fields of a section by name, in their order.

    Raises:
        TypeError: a field's type is none that can be configured (a fault of the plugin, not of the operator).
    """
    if section in _known:
        return _known[section]
    hints = typing.get_type_hints(section)
    found = {}
    for field in attrs.fields(section):
        if not field.init:
            continue
        default = field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # the stubs show a function
            default = default.factory()
        key = Key(
            name=field.alias or field.name,
            type=hints[field.name],
            default=default,
            help=field.metadata.get("help", ""),
            env=field.metadata.get("env", ""),
            url_parts=field.metadata.get("url_parts"),
            validator=field.validator,
            reload=field.metadata.get("reload", False),
        )
        _require_supported(section, key)
        found[key.name] = key
    _known[section] = found
    return found


def _require_supported(section: type, key: Key) -> None:
    if key.is_section:
        keys_of(key.type)
        return
    element = key.element
    if element is not None:
        _require_supported(section, attrs.evolve(element, name=key.name))
        return
    if not _is_value(key.type):
        raise TypeError(f"{section.__qualname__}.{key.name}: {key.type} cannot be configured")


def _is_value(type_: Any) -> bool:
    origin, args = typing.get_origin(type_), typing.get_args(type_)
    if origin is tuple:
        return len(args) == 2 and args[1] is Ellipsis and typing.get_origin(args[0]) is not tuple and _is_value(args[0])
    inner = optional_of(type_)
    if inner is not None:
        return _is_value(inner)
    if origin is Literal:
        return all(isinstance(choice, str) for choice in args)
    return type_ in (str, int, float, bool, Secret, Path)


def optional_of(type_: Any) -> Any | None:
    """X of `X | None`; None when it is something else."""
    if typing.get_origin(type_) not in (typing.Union, types.UnionType):
        return None
    inner = [each for each in typing.get_args(type_) if each is not type(None)]
    return inner[0] if len(inner) == 1 and len(typing.get_args(type_)) == 2 else None


def holds_secret(type_: Any) -> bool:
    return type_ is Secret or any(holds_secret(each) for each in typing.get_args(type_))


def from_variable(type_: Any, text: str, *, is_duration: bool) -> Raw:
    """A variable's text as a raw value: commas make a list, nothing is an empty list (or None, or '').

    `is_duration`: the field is in seconds, so that `30s` and `1m30s` are understood beside `30`.
    """
    inner = optional_of(type_)
    if inner is not None:
        return None if text == "" else from_variable(inner, text, is_duration=is_duration)
    if typing.get_origin(type_) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if type_ is bool:
        return {"1": "true", "0": "false"}.get(text, text)
    if is_duration and _DURATION.fullmatch(text):
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
        return repr(sum(float(number) * _UNIT_S[unit] for number, unit in parts))
    return text


def parse(type_: Any, raw: Raw) -> Any:
    """The value of a field.

    Raises:
        Unfit: with the reason and what to write instead.
    """
    inner = optional_of(type_)
    if inner is not None:
        return None if raw is None else parse(inner, raw)
    if typing.get_origin(type_) is tuple:
        if not isinstance(raw, list):
            raise Unfit("is not a list; write [a, b]")
        return tuple(parse(typing.get_args(type_)[0], each) for each in raw)
    if isinstance(raw, list):
        raise Unfit("is a list; one value is wanted")
    if raw is None:
        raise Unfit("says nothing; give it a value, or leave the key out to get the default")
    if typing.get_origin(type_) is Literal:
        return _choice(typing.get_args(type_), raw)
    return _PARSERS[type_](raw)


def _choice(choices: tuple[str, ...], text: str) -> str:
    if text not in choices:
        meant = next((choice for choice in choices if choice.casefold() == text.casefold()), "")
        raise Unfit(f"is none of {', '.join(choices)}" + (f"; write {meant}" if meant else ""))
    return text


def _int(text: str) -> int:
    if not _INT.fullmatch(text) or len(text) > 100:
        raise Unfit("is not a whole number")
    return int(text)


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text) or not any(c.isdigit() for c in text.lower().partition("e")[0]):
        raise Unfit("is not a number")
    value = float(text)
    if not math.isfinite(value):
        raise Unfit("is not a number that can be held")
    return value


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Unfit("is neither true nor false")
    return text.lower() == "true"


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise Unfit("is no path")
    return Path(text).expanduser()


_PARSERS: Mapping[Any, Any] = {str: str, int: _int, float: _float, bool: _bool, Secret: Secret, Path: _path}
