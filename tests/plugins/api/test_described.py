"""What the gateway says of itself: every road that a client can take is in the document, or named with a reason."""

from __future__ import annotations

import re
from typing import Any

import pytest

from streamgate.testing.docs.built import Built, built
from streamgate_api.described import completed

NOT_DESCRIBED = {
    "/openapi.json": "the system route of this path is described; the mount says the same with streams by path",
}
"""Mounts whose operations the document does not have, and why."""


@pytest.fixture(scope="module")
def whole() -> Built:
    """Of all our plugins in one process."""
    return built()


@pytest.fixture(scope="module")
def document(whole: Built) -> dict[str, Any]:
    return completed(whole.document)


def named(path: str) -> str:
    """`{path:path}` is `{path}` in OpenAPI."""
    return re.sub(r":[a-z]+\}", "}", path)


def test_every_route_and_every_mount_is_described(whole: Built, document: dict[str, Any]) -> None:
    operations = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    table = {(route.method, named(route.path)) for route in whole.routes}
    assert table - operations == set()
    assert {path for _, path in operations - table} == {
        f"/api/v1/streaming/{{content_id}}/{rest}"
        for rest in ("info", "hls", "dash", "segment", "session", "session/{session_id}", "session/{session_id}/renew")
    }
    below = {mount.prefix: [path for _, path in operations if path.startswith(mount.prefix)] for mount in whole.mounts}
    assert {prefix for prefix, paths in below.items() if not paths} == set()
    silent = {mount.prefix for mount in whole.mounts if not mount.documents}
    assert silent == {"/api/v1/streaming", *NOT_DESCRIBED}


def test_an_operation_id_is_of_one_operation(document: dict[str, Any]) -> None:
    ids = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(set(ids)) == len(ids)
    assert "get_streaming_by_content_id_info" in ids
    assert "post_streaming_by_content_id_session_by_session_id_renew" in ids


def test_a_stream_by_path_is_described_as_what_it_stands_for(document: dict[str, Any]) -> None:
    twin = document["paths"]["/api/v1/stream/segment"]["get"]
    found = document["paths"]["/api/v1/streaming/{content_id}/segment"]["get"]
    places = {each["name"]: each["in"] for each in found["parameters"]}
    assert places == {**{each["name"]: each["in"] for each in twin["parameters"]}, "content_id": "path"}
    assert found["responses"]["200"] == twin["responses"]["200"]
    assert found["security"] == twin["security"]
    assert "request.unknown_path" in found["responses"]["404"]["x-streamgate-codes"]


def test_the_body_of_a_stream_by_path_has_no_content(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/streaming/{content_id}/session"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"client_id"}
    assert operation["requestBody"]["required"] is False
    assert {"name": "Idempotency-Key", "in": "header"}.items() <= operation["parameters"][-1].items()


def test_live_connections_are_described(document: dict[str, Any]) -> None:
    events = document["paths"]["/api/v1/events"]["get"]
    assert set(events["responses"]["200"]["content"]) == {"text/event-stream"}
    assert "events.too_many" in events["responses"]["429"]["x-streamgate-codes"]
    socket = document["paths"]["/api/v1/ws"]["get"]
    assert "101" in socket["responses"]
    assert socket["responses"]["426"]["x-streamgate-codes"] == ["events.upgrade_required"]
    assert set(socket["x-websocket"]["closes"]) == {"1001", "4401"}
    for operation in (events, socket):
        assert {each["name"] for each in operation["parameters"]} == {"kinds", "content_id", "ticket"}
