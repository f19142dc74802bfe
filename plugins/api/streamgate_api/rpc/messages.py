"""Protobuf messages to JSON values and back, by field name.

`json_format` does the same in the wrong dialect (int64 as text, lowerCamelCase) and takes several times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct, Value

_STRUCT = Struct.DESCRIPTOR.full_name


def to_plain(message: Message) -> dict[str, Any]:
    """What is set in a message. A field without presence that has its default counts as left out."""
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is None:
            plain[field.name] = list(value) if field.is_repeated else value
        elif field.is_repeated:
            plain[field.name] = [to_plain(each) for each in value]
        elif field.message_type.full_name == _STRUCT:
            plain[field.name] = struct_to_plain(value)
        else:
            plain[field.name] = to_plain(value)
    return plain


def struct_to_plain(struct: Struct) -> dict[str, Any]:
    return {name: _value(value) for name, value in struct.fields.items()}


def _value(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_to_plain(value.struct_value)
    if kind == "list_value":
        return [_value(each) for each in value.list_value.values]
    if kind == "number_value":  # whole numbers are told from others in JSON alone
        number = value.number_value
        return int(number) if number.is_integer() else number
    return None if kind in (None, "null_value") else getattr(value, kind)


def to_message(kind: type[Message], plain: Mapping[str, Any]) -> Message:
    """A message from an operation's JSON answer. Fields it does not have are left out: answers grow.

    Raises:
        TypeError, ValueError: a value does not fit its field.
    """
    return _maker(kind.DESCRIPTOR)(plain)


@cache
def _maker(descriptor: Descriptor) -> Callable[[Mapping[str, Any]], Message]:
    kind = GetMessageClass(descriptor)
    fields = {field.name: _converter(field) for field in descriptor.fields}

    def make(plain: Mapping[str, Any]) -> Message:
        given = {}
        for name, value in plain.items():
            if value is not None and name in fields:
                convert = fields[name]
                given[name] = value if convert is None else convert(value)
        return kind(**given)

    return make


def _converter(field: FieldDescriptor) -> Callable[[Any], Any] | None:
    """None: the value is taken as it is. Messages are looked up late, as they may hold themselves."""
    inner = field.message_type
    if inner is None:
        return None
    if inner.full_name == _STRUCT:
        return plain_to_struct

    def one(value: Any) -> Message:
        return _maker(inner)(value)

    return (lambda values: [one(each) for each in values]) if field.is_repeated else one


def plain_to_struct(plain: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(dict(plain))
    return struct
