"""The .proto files: what is generated from them is fresh, and they promise nothing that HTTP does not answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import streamgate_api
from streamgate.testing.house import house
from streamgate_api.proto import content_pb2
from streamgate_api.rpc.messages import to_message, to_plain
from streamgate_api.rpc.operations import Operation, operation_of
from streamgate_api.rpc.server import FILES

PACKAGE = Path(streamgate_api.__file__).parent
STRUCT, EMPTY = "google.protobuf.Struct", "google.protobuf.Empty"
INCLUDED = {
    f"ContentService/Get answers Content.{name}" for name in ("gate", "include_errors", "stats", "stream", "transcode")
}
"""By HTTP's `?include=` alone; over gRPC each is a call of its own."""
OPERATIONS = [
    operation
    for file in FILES
    for service in file.services_by_name.values()
    for operation in map(operation_of, service.methods)
    if operation is not None
]


def test_what_is_generated_is_fresh(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PACKAGE.parent / "generate.py", tmp_path], check=True, timeout=50)
    fresh = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "streamgate_api/proto").iterdir()}
    kept = {path.name: path.read_text(encoding="utf-8") for path in (PACKAGE / "proto").glob("*_pb2*.py*")}
    assert kept == fresh, "run `python plugins/api/generate.py`"


@pytest.fixture
async def openapi(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    names = ["cache", "metadata", "auth", "worker", "streaming", "transcoder", "upload", "api"]
    async with house(tmp_path, names) as home:
        yield orjson.loads(home.app.description.document)


async def test_every_field_of_a_message_is_a_field_of_the_operation(openapi: dict[str, Any]) -> None:
    """Of the operations that this build has: a field nobody fills, or nobody reads, would be a lie; and what HTTP
    answers arrives over gRPC as well."""
    missing: list[str] = []
    untold: set[str] = set()
    checked = 0
    for operation in OPERATIONS:
        spec = openapi["paths"].get(operation.template, {}).get(operation.method.lower())
        if spec is None:
            continue
        checked += 1
        missing += [f"{operation.name} asks {each}" for each in _unread(operation, spec, openapi)]
        if operation.answer.DESCRIPTOR.full_name != EMPTY:
            answers = [a for status, a in spec["responses"].items() if status.startswith("2")]
            schema = answers[0]["content"]["application/json"]["schema"]
            unfilled, left_out = _differences(operation.answer.DESCRIPTOR, schema, openapi, [])
            missing += [f"{operation.name} answers {each}" for each in unfilled]
            untold |= {f"{operation.name.removeprefix('/streamgate.v1.')} answers {each}" for each in left_out}
    assert missing == []
    assert untold == INCLUDED
    assert checked > 20


def _unread(operation: Operation, spec: dict[str, Any], document: dict[str, Any]) -> list[str]:
    known = {parameter["name"] for parameter in spec.get("parameters", ())}
    content = spec.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        known |= {operation.body} if operation.body != "*" else set(_properties(content["schema"], document))
    return [field.name for field in operation.request.DESCRIPTOR.fields if field.name not in known]


def _differences(
    descriptor: Any, schema: Any, document: dict[str, Any], above: list[str]
) -> tuple[list[str], list[str]]:
    """What the message alone has, and what the JSON answer alone has."""
    properties = _properties(schema, document)
    fields = {field.name: field for field in descriptor.fields}
    unfilled = [f"{descriptor.name}.{name}" for name in fields if name not in properties]
    left_out = [f"{descriptor.name}.{name}" for name in properties if name not in fields]
    seen = [*above, descriptor.full_name]
    for name in fields.keys() & properties.keys():
        message = fields[name].message_type
        if message is not None and message.full_name not in (STRUCT, *seen):
            inner = properties[name]
            inner = inner["items"] if inner.get("type") == "array" else inner
            below = _differences(message, inner, document, seen)
            unfilled, left_out = unfilled + below[0], left_out + below[1]
    return unfilled, left_out


def _properties(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    for way in ("anyOf", "oneOf"):
        if way in schema:
            schema = next(each for each in schema[way] if each.get("type") != "null")
    if "$ref" in schema:
        return _properties(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    found: dict[str, Any] = schema.get("properties", {})
    return found


def test_values_go_there_and_back() -> None:
    plain = {
        "content_id": "c_1",
        "gate": {"at_least": {"count": 2, "of": [{"public": {}}, {"x": [None, True, 1.5, "t"]}]}},
        "revision": 2**53 + 1,
        "warnings": ["a"],
    }
    message = to_message(content_pb2.StoredGate, {**plain, "text": None, "of_tomorrow": 1})
    assert to_plain(message) == plain


def test_a_message_may_hold_itself() -> None:
    part = {"kind": "erc721", "outcome": "unknown", "text": "one", "block_number": 0}
    plain = {"outcome": "unknown", "explanation": {"kind": "any", "parts": [part, part]}}
    assert to_plain(to_message(content_pb2.GateCheck, plain)) == plain


def test_a_value_that_does_not_fit_is_a_fault() -> None:
    with pytest.raises(TypeError):
        to_message(content_pb2.Content, {"title": 7})
