"""Every route of the running server, tried as the right person; `test_every_endpoint.py` tries them as nobody and as
all others.

The routes come from the server's own OpenAPI document: a new one is walked without anybody adding it here.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from streamgate.testing.attacks import attack
from streamgate.testing.stacks import Stack
from tests.e2e.client import Api
from tests.e2e.gateway import grpc_methods, outcome_of, say_hello_over_grpc, upload_and_look
from tests.e2e.shared import WALK, shared_stack
from tests.e2e.wallet import Wallet

KNOWN_POLICIES = ("public", "signed-in", "creator", "owner of ", "admin", "token")
RAW_BODY = b"raw bytes"


@attrs.frozen
class Operation:
    method: str
    path: str
    policy: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path} [{self.policy}]"

    @property
    def is_endless(self) -> bool:
        """A stream of events; `test_an_upload_is_seen_live` listens to it."""
        return "text/event-stream" in self.spec["responses"].get("200", {}).get("content", {})


@attrs.define
class People:
    """A server with two creators, a viewer and an admin, and what the first creator owns."""

    nobody: Api
    viewer: Api
    creator: Api
    other_creator: Api
    admin: Api
    ids: dict[str, Any]
    document: dict[str, Any]
    grpc_port: int

    @property
    def operations(self) -> list[Operation]:
        return [
            Operation(method.upper(), path, spec["x-streamgate-policy"], spec)
            for path, methods in self.document["paths"].items()
            for method, spec in methods.items()
        ]

    def request(self, operation: Operation) -> dict[str, Any]:
        """Arguments of a request that is as good as the schema and the known ids can make it."""
        path = operation.path
        query: dict[str, Any] = {}
        for parameter in operation.spec.get("parameters", ()):
            name, place = parameter["name"], parameter["in"]
            if place == "path":
                path = path.replace(f"{{{name}}}", str(self.ids.get(name, "x_unknown")))
            elif place == "query" and parameter.get("required"):
                query[name] = self.ids.get(name, self._example(parameter["schema"]))
        made: dict[str, Any] = {"method": operation.method, "path": path, "params": query}
        content = operation.spec.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            made["json"] = self._example(content["application/json"]["schema"])
        elif content:
            made["content"] = RAW_BODY
            made["headers"] = {"Content-Type": "application/octet-stream"}
        return made

    def _example(self, schema: dict[str, Any], name: str = "") -> Any:
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if name in self.ids:
            return self.ids[name]
        for way in ("anyOf", "oneOf"):
            if way in schema:
                return self._example(schema[way][0], name)
        if "enum" in schema:
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            return {key: self._example(properties[key], key) for key in schema.get("required", ())}
        simple = {"string": "text", "integer": 1, "number": 1.0, "boolean": True, "array": [], "null": None}
        return simple.get(schema.get("type", "string"), {})


@pytest.fixture(scope="module", params=["all", "split"])
def stack(request: pytest.FixtureRequest) -> tuple[Stack, list[Wallet]]:
    return shared_stack(request), list(WALK.values())


@pytest.fixture
async def people(stack: tuple[Stack, list[Wallet]], tmp_path: Path) -> AsyncIterator[People]:
    running, wallets = stack
    async with AsyncExitStack() as cleanup:
        nobody, *signed = [await cleanup.enter_async_context(Api.connect(running.url)) for _ in range(5)]
        for api, wallet in zip(signed, wallets, strict=True):
            await api.sign_in(wallet)
        viewer, creator, other, admin = signed
        file = tmp_path / "file.bin"
        file.write_bytes(b"not a video at all " * 100)
        begun = await creator.begin_upload(file)
        done = await creator.resume_upload(begun, file)
        document = (await nobody.send("GET", "/openapi.json")).json()
        chain = await nobody.call("GET", "/api/v1/devchain/info")
        owned = {
            "content_id": done["content_id"],
            "upload_id": done["upload_id"],
            "index": 0,
            "address": wallets[1].address,
            "title": "A title",
            "chain": chain["chain"],
        }
        gateway = running.processes.get("api") or running.processes["all"]
        grpc_port = int(gateway.environment["STREAMGATE_API__GRPC_PORT"])
        yield People(nobody, viewer, creator, other, admin, owned, document, grpc_port)


async def answer(api: Api, people: People, operation: Operation) -> httpx.Response:
    return await api.send(**people.request(operation))


async def test_every_route_carries_a_known_policy(people: People) -> None:
    assert len(people.operations) > 30
    unknown = [str(each) for each in people.operations if not each.policy.startswith(KNOWN_POLICIES)]
    assert unknown == []


async def test_the_right_person_is_not_turned_away(people: People) -> None:
    """Nobody's request is refused for who they are; deletions come last, as they take the owned things away."""
    right = {"signed-in": people.viewer, "creator": people.creator, "admin": people.admin, "public": people.nobody}
    for operation in sorted(people.operations, key=lambda each: each.method == "DELETE"):
        api = people.creator if operation.policy.startswith("owner of") else right.get(operation.policy)
        if api is None or operation.is_endless:
            continue
        response = await answer(api, people, operation)
        assert response.status_code < 500, f"{operation} answered {response.status_code} {response.text[:300]}"
        if operation.policy not in ("public",):
            assert response.status_code not in (401, 403), f"{operation}: {response.text[:200]}"


@attack("B12")
async def test_media_bytes_are_behind_their_path_token(people: People) -> None:
    """The raw mount: no file of any kind without a token of this server's, and nothing beside its files."""
    names = ("master.m3u8", "manifest.mpd", "v360/playlist.m3u8", "v360/init.mp4", "v360/1.m4s", "../../content", "")
    for token, name in itertools.product(("garbage", "A" * 43, "%2e%2e", "a/b"), names):
        for api in (people.nobody, people.creator, people.admin):
            answer = await api.send("GET", f"/api/v1/stream/s/{token}/{name}")
            assert answer.status_code in (403, 404), f"{token}: {name} → {answer.status_code}"
            assert answer.headers["content-type"] == "application/problem+json"


# --- the gateway's other doors: gRPC, events, WebSocket -----------------------------------------------


@attack("A10")
async def test_grpc_is_the_same_door(people: People) -> None:
    """Every method as nobody and with tokens that are none, by reflection; then the creator's own work."""
    port = people.grpc_port
    policies = {(each.method, each.path): each.policy for each in people.operations}
    methods = await grpc_methods(port)
    assert len(methods) > 25
    for token in ("", "garbage", people.creator.token[:-4] + "AAAA"):
        for method in methods:
            code = await outcome_of(port, method, token)
            policy = policies.get(method.operation)
            if policy is None:  # not an operation of this build
                assert code == "UNIMPLEMENTED", f"{method.path}: {code}"
            elif policy == "public":
                assert code not in ("INTERNAL", "UNKNOWN"), f"{method.path}: {code}"
            else:
                assert code == "UNAUTHENTICATED", f"{method.path} answered {code} to {token!r}"
    await say_hello_over_grpc(port, people.creator.token, people.ids["content_id"])


async def test_an_upload_is_seen_live(people: People, tmp_path: Path) -> None:
    """By events with the token, and on a WebSocket with a ticket; by nobody else."""
    seen = await upload_and_look(people.creator, people.other_creator, tmp_path)
    assert seen.by_events == seen.by_socket
    assert any(name.startswith("upload.") for name in seen.by_events)
    assert seen.by_others == []
