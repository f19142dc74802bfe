"""Plain JSON, or the texts of a query, into attrs classes: strict, with every fault of every field at once.

Strict means: no unknown field, no value of another type (`"5"` is no number, `true` no integer), validators
of the class apply. A fault has the path of its field, `gate.any[0].erc721.chain`.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union

import attrs
from cattrs import Converter
from cattrs.preconf.orjson import make_converter

from streamgate.errors import FieldError, Invalid
from streamgate.settings.refusals import check, one_of

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]  # Any: cattrs hooks take and give values of every type

NUL_REFUSED = "must not contain U+0000"  # PostgreSQL can store it neither in a text nor in JSON

# Python reads more as numbers (`1_000`, `٣`, blanks around), and is slow to read very long ones.
_NUMBER = re.compile(r"[-+]?[0-9]{1,25}(?:\.[0-9]{1,25})?(?:e[-+]?[0-9]{1,3})?", re.ASCII)


class FieldFaults(Exception):
    """Everything wrong with one value; paths are relative to it."""

    def __init__(self, faults: Sequence[FieldError]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


def structure(kind: type[T], plain: Any, *, what: str, from_texts: bool = False, in_path: Container[str] = ()) -> T:
    """The value of an attrs class from decoded JSON. `what` names the whole in the error (`the body`).

    With `from_texts` the single values are texts, as in a query string and a path: `5`, `2.5`, `true`. Of those whose
    names are `in_path` the error says that the path is wrong.

    Raises:
        Invalid: `request.invalid`, with one FieldError a fault.
    """
    try:
        value = (_texts if from_texts else _body).structure(plain, kind)
        _refuse_nul(plain)
        return value
    except (FieldFaults, ValueError, TypeError) as fault:
        errors = tuple(_faults_of(fault))
        what = "the path" if errors[0].field in in_path else what
        raise Invalid(f"{what} is not valid: {_in_words(errors)}", errors=errors) from fault


def _in_words(errors: Sequence[FieldError]) -> str:
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return (f"{first.field} {first.message}" if first.field else first.message) + more


def _faults_of(fault: Exception, path: str = "") -> list[FieldError]:
    if isinstance(fault, FieldFaults):
        return [FieldError(join_path(path, each.field), each.message) for each in fault.faults]
    said = fault.args[0] if fault.args and isinstance(fault.args[0], str) else "is not valid"
    return [FieldError(path, said)]


def join_path(path: str, step: str) -> str:
    return f"{path}.{step}" if path and step and not step.startswith("[") else path + step


def _refuse_nul(plain: Any) -> None:
    """In texts, in names, and in what nobody validates here (`Any`). Without recursion: JSON may be nested deeper
    than Python calls.

    Raises:
        FieldFaults: of the first one.
    """
    waiting: list[tuple[Any, Any]] = [(plain, None)]  # a value and the way to it: (the way before, step)
    while waiting:
        value, way = waiting.pop()
        steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [(each, (way, step)) for step, inner in steps for each in (step, inner)]
        if isinstance(value, str) and "\0" in value:
            path = ""
            while way is not None:
                way, step = way
                path = join_path(step if isinstance(step, str) else f"[{step}]", path)
            raise FieldFaults([FieldError(path, NUL_REFUSED)])


# --- objects, arrays, maps --------------------------------------------------------------------------


def _object_hooks(converter: Converter) -> Callable[[Any], Hook]:
    def factory(kind: Any) -> Hook:
        fields = {field.name: field for field in attrs.fields(attrs.resolve_types(kind)) if field.init}

        def build(plain: Any, _: Any) -> Any:
            if not isinstance(plain, Mapping):
                raise TypeError(f"must be an object, not {_json_name(plain)}")
            faults = [FieldError(str(name), _unknown(str(name), fields)) for name in plain if name not in fields]
            values: dict[str, Any] = {}
            for name, field in fields.items():
                if name in plain:
                    try:
                        value = values[field.alias] = converter.structure(plain[name], field.type)
                        if field.validator is not None and field.converter is None:
                            check(field, value)  # here, so that the faults of all fields are found
                    except (FieldFaults, ValueError, TypeError) as fault:
                        faults.extend(_faults_of(fault, name))
                elif field.default is attrs.NOTHING:
                    faults.append(FieldError(name, "is required"))
            if faults:
                raise FieldFaults(faults)
            return kind(**values)

        return build

    return factory


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"is not a known field; did you mean {near[0]!r}?" if near else "is not a known field"


def is_array(kind: Any) -> bool:
    return typing.get_origin(kind) in (list, tuple)


def is_map(kind: Any) -> bool:
    return typing.get_origin(kind) in (dict, Mapping)


def _collection_hooks(converter: Converter) -> Callable[[Any], Hook]:
    def factory(kind: Any) -> Hook:
        plain_kind, said = (list, "an array") if is_array(kind) else (dict, "an object")
        item = typing.get_args(kind)[0 if plain_kind is list else 1]

        def build(plain: Any, _: Any) -> Any:
            if not isinstance(plain, plain_kind):
                raise TypeError(f"must be {said}, not {_json_name(plain)}")
            values: dict[Any, Any] = {}
            faults: list[FieldError] = []
            for step, value in enumerate(plain) if isinstance(plain, list) else plain.items():
                try:
                    values[step] = converter.structure(value, item)
                except (FieldFaults, ValueError, TypeError) as fault:
                    faults.extend(_faults_of(fault, f"[{step}]" if isinstance(step, int) else str(step)))
            if faults:
                raise FieldFaults(faults)
            return values if plain_kind is dict else typing.get_origin(kind)(values.values())

        return build

    return factory


# --- single values ----------------------------------------------------------------------------------

_JSON_NAMES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", type(None): "null"}


def _json_name(value: Any) -> str:
    return _JSON_NAMES.get(type(value), "an array" if isinstance(value, list) else "an object")


def _exactly(kind: type) -> Hook:
    def check(value: Any, _: Any) -> Any:
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise TypeError(f"must be {_JSON_NAMES[kind]}, not {_json_name(value)}")
        return value

    return check


def _number_from_text(kind: type[int] | type[float]) -> Hook:
    def parse(text: Any, _: Any) -> Any:
        said = f"must be {_JSON_NAMES[kind]}"
        if isinstance(text, str) and not _NUMBER.fullmatch(text):
            raise ValueError(said)
        try:
            number = kind(text)
        except ValueError:
            raise ValueError(said) from None
        if number - number != 0:  # infinities and NaN
            raise ValueError("must be a finite number")
        return number

    return parse


def _bool_from_text(text: Any, _: Any) -> bool:
    if text not in ("true", "false"):
        raise ValueError("must be true or false")
    return bool(text == "true")


def is_literal(kind: Any) -> bool:
    return typing.get_origin(kind) is Literal


def _choice(kind: Any) -> Hook:
    options = typing.get_args(kind)

    def check(value: Any, _: Any) -> Any:
        if (type(value), value) not in [(type(option), option) for option in options]:
            raise ValueError(one_of(options))
        return value

    return check


def without_none(kind: Any) -> Any | None:
    """`T` of `T | None`; None for any other type."""
    if typing.get_origin(kind) not in (Union, types.UnionType) or type(None) not in typing.get_args(kind):
        return None
    return Union[tuple(each for each in typing.get_args(kind) if each is not type(None))]  # noqa: UP007


def _optional_hooks(converter: Converter) -> Callable[[Any], Hook]:
    def factory(kind: Any) -> Hook:
        inner = without_none(kind)
        return lambda value, _: None if value is None else converter.structure(value, inner)  # type: ignore[arg-type]

    return factory


def _make(*, from_texts: bool) -> Converter:
    converter = make_converter()
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    if from_texts:
        converter.register_structure_hook(int, _number_from_text(int))
        converter.register_structure_hook(float, _number_from_text(float))
        converter.register_structure_hook(bool, _bool_from_text)
    by_kind: list[tuple[Callable[[Any], bool], Callable[[Any], Hook]]] = [
        (lambda kind: without_none(kind) is not None, _optional_hooks(converter)),
        (is_literal, _choice),
        (lambda kind: is_array(kind) or is_map(kind), _collection_hooks(converter)),
        (attrs.has, _object_hooks(converter)),
    ]
    for fits, factory in by_kind:
        converter.register_structure_hook_factory(fits, factory)
    return converter


_body = _make(from_texts=False)
_texts = _make(from_texts=True)
