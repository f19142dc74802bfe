"""Which HTTP operation a gRPC method is: read from the `google.api.http` option in its .proto file.

`body: "*"` sends all fields but the path's as the JSON body, `body: "gate"` one field as the whole of it; without a
body all but the path's are the query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import orjson
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from streamgate.errors import FieldError, Invalid

_FIELD = re.compile(r"\{([a-z0-9_]+)\}")
_STEP = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~:@-]{1,512}")
NO_ID = "-"
"""Stands for an id that is left out: the operation still says first whether the caller may ask at all."""


@attrs.frozen(kw_only=True)
class Operation:
    """`name` is the gRPC path, `/streamgate.v1.ContentService/Get`."""

    name: str
    method: str
    template: str
    body: str
    request: type[Message]
    answer: type[Message]

    @property
    def path_fields(self) -> list[str]:
        return _FIELD.findall(self.template)


@attrs.frozen
class Target:
    """Where a request goes and with what. `fault` is told when the operation does not refuse for a better reason."""

    path: str
    query: bytes
    body: bytes
    fault: Invalid | None


def operation_of(method: MethodDescriptor) -> Operation | None:
    """None: the method has no single operation."""
    if not method.GetOptions().HasExtension(annotations_pb2.http):
        return None
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return Operation(
        name=f"/{method.containing_service.full_name}/{method.name}",
        method=verb.upper(),
        template=getattr(rule, verb),
        body=rule.body,
        request=GetMessageClass(method.input_type),
        answer=GetMessageClass(method.output_type),
    )


def target_of(operation: Operation, fields: Mapping[str, Any]) -> Target:
    rest = dict(fields)
    path, fault = operation.template, None
    for name in operation.path_fields:
        value = str(rest.pop(name, ""))
        if not _STEP.fullmatch(value):
            message = "is missing" if not value else "is not an id"
            fault = Invalid(f"{name} {message}", errors=(FieldError(name, message),))
            value = NO_ID
        path = path.replace(f"{{{name}}}", value)
    if operation.body == "*":
        return Target(path, b"", orjson.dumps(rest), fault)
    if operation.body:
        return Target(path, b"", orjson.dumps(rest.get(operation.body, {})), fault)
    return Target(path, urlencode({name: _text(value) for name, value in rest.items()}).encode(), b"", fault)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
