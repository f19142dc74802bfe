"""JSON Schema (2020-12, as OpenAPI 3.1 wants it) from the types that validate: the same classes, so never apart."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from typing import Any

import attrs
from attrs import validators

from streamgate.settings import Matches
from streamgate.web.structure import is_array, is_literal, is_map, without_none

Schema = dict[str, Any]

_PRIMITIVES: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


class Schemas:
    """Collects the named schemas of one document. Two classes of one name get their module's name in front."""

    def __init__(self) -> None:
        self.components: dict[str, Schema] = {}
        self._names: dict[type, str] = {}

    def of(self, kind: Any) -> Schema:
        """The schema of a type; attrs classes become references.

        Raises:
            TypeError: a type that the web layer cannot validate.
        """
        if isinstance(kind, typing.NewType):
            return self.of(kind.__supertype__)
        if kind in _PRIMITIVES:
            return dict(_PRIMITIVES[kind])
        if is_literal(kind):
            options = list(typing.get_args(kind))
            return {**_PRIMITIVES[type(options[0])], "enum": options}
        inner = without_none(kind)
        if inner is not None:
            return _nullable(self.of(inner))
        if is_array(kind):
            return {"type": "array", "items": self.of(typing.get_args(kind)[0])}
        if is_map(kind):
            return {"type": "object", "additionalProperties": self.of(typing.get_args(kind)[1]) or True}
        if typing.get_origin(kind) is typing.Union or (hasattr(kind, "__or__") and typing.get_args(kind)):
            return {"anyOf": [self.of(each) for each in typing.get_args(kind)]}
        if isinstance(kind, type) and attrs.has(kind):
            return {"$ref": f"#/components/schemas/{self._name(kind)}"}
        raise TypeError(f"{kind!r} cannot be described: use attrs classes, primitives, lists, tuples and dicts of them")

    def field(self, field: attrs.Attribute[Any]) -> Schema:
        """The schema of one attribute: its type, what its validators demand, its default, its sentence of help."""
        schema = self.of(field.type)
        _constrain(schema, field.validator)
        if "help" in field.metadata:
            schema["description"] = field.metadata["help"]
        if isinstance(field.default, (str, int, float, bool)):
            schema["default"] = field.default
        return schema

    def _name(self, kind: type) -> str:
        known = self._names.get(kind)
        if known is not None:
            return known
        name = kind.__name__
        if name in self.components:
            name = f"{kind.__module__.rsplit('.', 1)[-1].title()}{name}"
        self._names[kind] = name
        self.components[name] = {}  # taken before its fields are described: they may refer to it
        self.components[name] = self._object(kind)
        return name

    def _object(self, kind: type) -> Schema:
        fields = fields_of(kind)
        properties = {field.name: self.field(field) for field in fields}
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        required = [field.name for field in fields if field.default is attrs.NOTHING]
        if required:
            schema["required"] = required
        said = first_paragraph(kind)
        return {"description": said, **schema} if said else schema


def fields_of(kind: type) -> list[attrs.Attribute[Any]]:
    """The attributes of an attrs class that come from outside, types resolved."""
    return [field for field in attrs.fields(attrs.resolve_types(kind)) if field.init]


def first_paragraph(thing: Any) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _nullable(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]} if schema else {}


def _constrain(schema: Schema, validator: Any) -> None:
    """Adds what attrs' own validators demand; those of ours speak for themselves in the `help`."""
    add = _DEMANDS.get(type(validator))
    if add is not None:
        add(schema, validator)


def _bound(schema: Schema, validator: Any) -> None:
    names = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}
    schema[names[validator.compare_op]] = validator.bound


def _length(schema: Schema, which: str, limit: int) -> None:
    is_text = schema.get("type") in ("string", ["string", "null"])
    schema[f"{which}{'Length' if is_text else 'Items'}"] = limit


def _members(schema: Schema, validator: Any) -> None:
    _constrain(schema["items"], validator.member_validator)
    _constrain(schema, validator.iterable_validator)


def _every(schema: Schema, validator: Any) -> None:
    for each in validator._validators:
        _constrain(schema, each)


# The classes of attrs' validators have no public names; their makers do.
_DEMANDS: dict[type, Callable[[Schema, Any], None]] = {
    type(validators.and_()): _every,
    type(validators.optional(validators.ge(0))): lambda schema, v: _constrain(schema, v.validator),
    type(validators.ge(0)): _bound,
    type(validators.max_len(1)): lambda schema, v: _length(schema, "max", v.max_length),
    type(validators.min_len(1)): lambda schema, v: _length(schema, "min", v.min_length),
    type(validators.matches_re("")): lambda schema, v: schema.update(pattern=f"^(?:{v.pattern.pattern})$"),
    Matches: lambda schema, v: schema.update(pattern=f"^(?:{v.expression})$"),
    type(validators.in_(())): lambda schema, v: schema.update(enum=list(v.options)),
    type(validators.deep_iterable(validators.ge(0))): _members,
}
