"""Contents and gates over gRPC: the operations of HTTP, with its policies, answers and errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import grpc
import pytest
from google.rpc import error_details_pb2

from streamgate.context import Actor, current_call
from streamgate.contracts.auth import GateCheckAnswer
from streamgate.contracts.gate import Explanation, Outcome, RenditionExplained
from streamgate.errors import Conflict
from streamgate.testing.house import House, house
from streamgate_api.rpc.messages import to_plain
from streamgate_api.rpc.server import Address, RpcServer
from tests.plugins.api.rpc_client import Client, believing, messages, read_error, refusal

ALICE = Actor(kind="user", user_id="u_alice", roles=("viewer", "creator"))
EVE = Actor(kind="user", user_id="u_eve", roles=("viewer",))
M = messages("Content")
Code = grpc.StatusCode


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["metadata", "auth", "api"]) as home:
        yield home


@pytest.fixture
async def nobody(home: House) -> AsyncIterator[Client]:
    address = Address(host="127.0.0.1", port=0, is_derived=False)
    server = RpcServer(lambda: believing(home.app), address, asyncio.Event())
    await server.start()
    async with Client.connect(server.port) as client:
        yield client
    await server.stop()


@pytest.fixture
def alice(nobody: Client) -> Client:
    return nobody.acting_as(ALICE)


@attrs.define
class Stuck:
    """What a call that is never answered saw of itself."""

    began: asyncio.Event = attrs.field(factory=asyncio.Event)
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)
    remaining_s: float | None = None


@pytest.fixture
def stuck(home: House, monkeypatch: pytest.MonkeyPatch) -> Stuck:
    """Metadata that never answers a `get`."""
    stuck = Stuck()

    async def never(query: object) -> None:
        stuck.remaining_s = current_call().remaining_s()
        stuck.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stuck.ended.set()

    monkeypatch.setattr(home.plugins["metadata"].service, "get", never)
    return stuck


async def create(alice: Client, **fields: Any) -> Any:
    return await alice.call("Content", "Create", M.CreateContentRequest(title="A film", **fields))


async def test_the_life_of_a_content(alice: Client, nobody: Client) -> None:
    made = await create(alice, tags=["a", "b"], description="About it")
    assert (made.owner, made.title, list(made.tags), made.state) == ("u_alice", "A film", ["a", "b"], "draft")
    assert not made.HasField("published_at")
    changed = M.UpdateContentRequest(content_id=made.content_id, title="Another", visibility="listed")
    assert (await alice.call("Content", "Update", changed)).title == "Another"
    rule = M.SetGateRequest(content_id=made.content_id)
    rule.gate.update({"public": {}})
    assert (await alice.call("Content", "SetGate", rule)).revision == 1
    seen = await nobody.call("Content", "Get", M.GetContentRequest(content_id=made.content_id))
    assert (seen.title, seen.description, list(seen.tags)) == ("Another", "About it", ["a", "b"])
    assert seen.HasField("published_at")
    page = await nobody.call("Content", "List", M.ListContentRequest(q="another", limit=5))
    assert [each.content_id for each in page.items] == [made.content_id]
    await alice.call("Content", "RemoveGate", M.RemoveGateRequest(content_id=made.content_id))
    stored = await alice.call("Content", "GetGate", M.GetGateRequest(content_id=made.content_id))
    assert not stored.HasField("gate")
    await alice.call("Content", "Delete", M.DeleteContentRequest(content_id=made.content_id))
    gone = await refusal(alice.call("Content", "Get", M.GetContentRequest(content_id=made.content_id)))
    assert (gone.code, gone.reason) == (Code.NOT_FOUND, "content.not_found")


async def test_a_gate_comes_with_the_content_and_is_explained(alice: Client, nobody: Client) -> None:
    request = M.CreateContentRequest(title="Gated")
    request.gate.update({"any": [{"public": {}}]})
    refused = await refusal(alice.call("Content", "Create", request))
    assert (refused.code, refused.reason) == (Code.INVALID_ARGUMENT, "gate.invalid")
    assert refused.fields
    request.gate.Clear()
    request.gate.update({"public": {}})
    made = await alice.call("Content", "Create", request)
    stored = await alice.call("Content", "GetGate", M.GetGateRequest(content_id=made.content_id))
    assert "public" in stored.gate.fields
    answer = await nobody.acting_as(EVE).call("Content", "CheckGate", M.CheckGateRequest(content_id=made.content_id))
    assert (answer.outcome, answer.explanation.outcome) == ("holds", "holds")


def filled(kind: type[Any], **given: Any) -> Any:
    """Each field with a value of its own, and none with its default."""
    for at, (name, its_type) in enumerate(get_type_hints(kind).items(), start=1):
        examples = {int: at, int | None: at, float: at + 0.5, float | None: at + 0.5, bool: True, Outcome: "unknown"}
        given.setdefault(name, examples.get(its_type, name))
    return kind(**given)


def without_empty(plain: Any) -> Any:
    """Protocol buffers do not tell an empty list from none."""
    if isinstance(plain, list):
        return [without_empty(each) for each in plain]
    if isinstance(plain, dict):
        return {name: without_empty(value) for name, value in plain.items() if value != []}
    return plain


async def test_an_explanation_arrives_with_every_field(
    home: House, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    explanation = filled(Explanation, parts=(filled(Explanation, parts=()),))
    above = filled(RenditionExplained, explanation=explanation)

    async def check(query: object) -> GateCheckAnswer:
        checked: GateCheckAnswer = filled(GateCheckAnswer, explanation=explanation, renditions=(above,))
        return checked

    monkeypatch.setattr(home.plugins["auth"].service, "check_gate", check)
    made = await create(alice)
    async with home.client(ALICE) as http:
        answer = await http.post(f"/api/v1/content/{made.content_id}/gate/check", json={})
    told = await alice.call("Content", "CheckGate", M.CheckGateRequest(content_id=made.content_id))
    assert set(answer.json()["explanation"]) == {field.name for field in attrs.fields(Explanation)}
    assert to_plain(told) == without_empty(answer.json())


async def test_refusals_are_the_apis_own(alice: Client, nobody: Client) -> None:
    made = await create(alice)
    request = M.CreateContentRequest(title="x")
    told = await refusal(nobody.call("Content", "Create", request))
    assert (told.code, told.reason) == (Code.UNAUTHENTICATED, "auth.required")
    told = await refusal(nobody.acting_as(EVE).call("Content", "Create", request))
    assert (told.code, told.reason) == (Code.PERMISSION_DENIED, "auth.forbidden")
    told = await refusal(nobody.acting_as(EVE).call("Content", "Get", M.GetContentRequest(content_id=made.content_id)))
    assert told.code is Code.NOT_FOUND
    told = await refusal(alice.call("Content", "Create", M.CreateContentRequest()))
    assert (told.code, told.reason, list(told.fields)) == (Code.INVALID_ARGUMENT, "request.invalid", ["title"])
    told = await refusal(alice.call("Content", "Create", M.CreateContentRequest(title="x" * 2_000_000)))
    assert (told.code, told.reason) == (Code.RESOURCE_EXHAUSTED, "request.too_large")


@pytest.mark.parametrize("content_id", ["", "a/b", "..", "ü"])
async def test_an_id_that_is_none_is_refused_once_the_caller_may_ask(
    alice: Client, nobody: Client, content_id: str
) -> None:
    for name, request in (("Get", M.GetContentRequest), ("Delete", M.DeleteContentRequest)):
        told = await refusal(alice.call("Content", name, request(content_id=content_id)))
        assert (told.code, list(told.fields)) == (Code.INVALID_ARGUMENT, ["content_id"])
    told = await refusal(nobody.call("Content", "Delete", M.DeleteContentRequest(content_id=content_id)))
    assert told.code is Code.UNAUTHENTICATED


async def test_bytes_that_are_no_message_are_the_callers_fault(nobody: Client) -> None:
    told = await refusal(nobody.raw("/streamgate.v1.ContentService/Get")(b"\xff\xff\xff", timeout=10))
    assert (told.code, told.reason) == (Code.INVALID_ARGUMENT, "request.malformed")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await nobody.raw("/streamgate.v1.ContentService/Steal")(b"", timeout=10)
    assert caught.value.code() is Code.UNIMPLEMENTED


async def test_a_message_that_is_too_large_never_arrives(alice: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(alice, description="x" * 5_000_000)
    assert caught.value.code() is Code.RESOURCE_EXHAUSTED


async def test_the_request_id_is_the_callers_or_a_new_one(alice: Client) -> None:
    told = await refusal(
        alice.call("Content", "Create", M.CreateContentRequest(), metadata=(("x-request-id", "my-request-1"),))
    )
    assert told.request_id == "my-request-1"
    told = await refusal(alice.call("Content", "Create", M.CreateContentRequest()))
    assert len(told.request_id) == 32
    call = alice.method("Content", "List")(M.ListContentRequest(), metadata=(("x-request-id", "my-request-2"),))
    await call
    assert ("x-request-id", "my-request-2") in tuple(await call.trailing_metadata())


async def test_a_deadline_reaches_the_service_and_ends_its_work(alice: Client, stuck: Stuck) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alice.call("Content", "Get", M.GetContentRequest(content_id="c_1"), timeout=0.5)
    assert caught.value.code() is Code.DEADLINE_EXCEEDED
    await stuck.ended.wait()
    assert stuck.remaining_s is not None
    assert 0 < stuck.remaining_s <= 0.5


async def test_a_caller_who_leaves_ends_the_work(alice: Client, stuck: Stuck) -> None:
    call = alice.method("Content", "Get")(M.GetContentRequest(content_id="c_1"), metadata=alice.metadata)
    sent = asyncio.ensure_future(call.code())
    await stuck.began.wait()
    call.cancel()
    assert await sent is Code.CANCELLED
    await stuck.ended.wait()


async def test_a_fault_of_ours_says_nothing(home: House, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(query: object) -> None:
        raise RuntimeError("secret path /etc/shadow")

    monkeypatch.setattr(home.plugins["metadata"].service, "get", fail)
    told = await refusal(alice.call("Content", "Get", M.GetContentRequest(content_id="c_1")))
    assert (told.code, told.reason, told.text) == (Code.INTERNAL, "internal", "Internal error")


async def test_when_to_try_again_is_told(home: House, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def conflict(query: object) -> None:
        raise Conflict("not now", retry_after_s=7)

    monkeypatch.setattr(home.plugins["metadata"].service, "get", conflict)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await alice.call("Content", "Get", M.GetContentRequest(content_id="c_1"))
    told = read_error(caught.value)
    retry = told.details["RetryInfo"]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert (told.code, retry.retry_delay.seconds) == (Code.FAILED_PRECONDITION, 7)
