"""A whole file in one request that is refused: nothing has changed. Over the real metadata and auth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AUTH, DecideQuery, GateQuery, SetGate, StoredGate
from streamgate.contracts.gate import GateInvalid
from streamgate.contracts.metadata import METADATA, AccessQuery, Content, ContentSearch, ContentUpdate, NewContent
from streamgate.errors import Unavailable
from streamgate.sdk.blobs import BlobStore
from streamgate.settings import KernelSettings, ServerSettings
from streamgate.testing.house import House, house

BOUNDARY = "a-boundary"
PUBLIC = ("gate", json.dumps({"public": {}}))
BAD_GATE = ("gate", json.dumps({"bad": 1}))
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
Part = tuple[str, bytes | str]


def form(*parts: Part) -> bytes:
    body = b""
    for name, value in parts:
        filename = '; filename="clip.mp4"' if name == "file" else ""
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
        body += (value if isinstance(value, bytes) else value.encode()) + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    settings = KernelSettings(
        profile="test", data_dir=tmp_path, server=ServerSettings(public_url="https://video.example")
    )
    async with house(tmp_path, ["metadata", "auth", "upload"], settings=settings) as home:
        yield home


async def send(home: House, actor: Actor, body: bytes | AsyncIterator[bytes]) -> httpx.Response:
    async with home.client(actor) as http:
        return await http.post("/api/v1/upload", content=body, headers=HEADERS)


async def made(home: House, actor: Actor) -> str:
    """A content titled OLD, without a gate."""
    return (await home.services.get(METADATA).create(NewContent(actor=actor, title="OLD"))).content_id


async def title_of(home: House, actor: Actor, content_id: str) -> str:
    query = AccessQuery(content_id=content_id, actor=actor, want="see")
    return (await home.services.get(METADATA).get(query)).title


async def gate_of(home: House, content_id: str) -> Any:
    return (await home.services.get(AUTH).get_gate(GateQuery(content_id=content_id))).gate


async def opens(home: House, content_id: str) -> str:
    """What somebody who is not signed in is told."""
    return (await home.services.get(AUTH).decide(DecideQuery(content_id=content_id, actor=ANONYMOUS))).outcome


async def contents(home: House, actor: Actor) -> tuple[Content, ...]:
    query = ContentSearch(actor=actor, owner=actor.user_id)
    return (await home.services.get(METADATA).search(query)).items


async def uploads(home: House, actor: Actor) -> list[dict[str, Any]]:
    async with home.client(actor) as http:
        items: list[dict[str, Any]] = (await http.get("/api/v1/upload/list")).json()["items"]
    return items


async def blob_keys(home: House) -> list[str]:
    store: BlobStore = home.plugins["upload"]._blobs
    return [blob.key async for blob in store.list()]


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize(
    ("more", "cut_bytes", "refusal"),
    [
        ([PUBLIC, ("file", b"x" * 300_000)], 5000, (400, "request.malformed")),
        ([BAD_GATE, ("file", b"x")], 0, (422, "gate.invalid")),
        ([("gate", "not json"), ("file", b"x")], 0, (422, "request.invalid")),
        ([PUBLIC, ("file", b"")], 0, (422, "request.invalid")),
        ([("file", b"x"), BAD_GATE], 0, (422, "gate.invalid")),
        ([("file", b"x"), PUBLIC, ("owner", "bob")], 0, (422, "request.invalid")),
        ([PUBLIC, ("file", b"x"), ("file", b"y")], 0, (422, "request.invalid")),
        ([PUBLIC, ("file", b"x"), ("title", "again")], 0, (422, "request.invalid")),
    ],
)
async def test_a_content_of_ones_own_stays_as_it_was(
    home: House, alice: Actor, more: list[Part], cut_bytes: int, refusal: tuple[int, str]
) -> None:
    content_id = await made(home, alice)
    body = form(("content_id", content_id), ("title", "HALF"), *more)
    answer = await send(home, alice, body[: len(body) - cut_bytes])
    assert refusal_of(answer) == refusal
    assert await title_of(home, alice, content_id) == "OLD"
    assert await gate_of(home, content_id) is None
    assert await opens(home, content_id) == "does_not_hold"


async def test_a_title_that_is_refused_opens_nothing(home: House, alice: Actor) -> None:
    content_id = await made(home, alice)
    answer = await send(home, alice, form(("content_id", content_id), ("title", "a\nb"), PUBLIC, ("file", b"x")))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "title")
    assert await gate_of(home, content_id) is None
    assert await title_of(home, alice, content_id) == "OLD"


@pytest.mark.parametrize(
    ("parts", "cut_bytes", "status"),
    [
        ([BAD_GATE, ("file", b"x")], 0, 422),
        ([("gate", "not json"), ("file", b"x")], 0, 422),
        ([("file", b"")], 0, 422),
        ([("file", b"x"), ("owner", "bob")], 0, 422),
        ([("file", b"x"), ("file", b"y")], 0, 422),
        ([("file", b"x"), BAD_GATE], 0, 422),
        ([("file", b"x"), ("title", "")], 0, 422),
        ([PUBLIC, ("file", b"x" * 300_000)], 5000, 400),
        ([("file", b"x"), PUBLIC], 10, 400),
    ],
)
async def test_nothing_is_left_where_there_was_no_content(
    home: House, alice: Actor, parts: list[Part], cut_bytes: int, status: int
) -> None:
    body = form(*parts)
    answer = await send(home, alice, body[: len(body) - cut_bytes])
    assert answer.status_code == status
    assert await contents(home, alice) == ()
    assert await uploads(home, alice) == []
    assert await blob_keys(home) == []


async def test_a_client_that_leaves_changes_nothing(home: House, alice: Actor) -> None:
    content_id = await made(home, alice)
    is_half_way = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield form(("content_id", content_id), ("title", "HALF"), PUBLIC, ("file", b"x" * 300_000))[:-5000]
        is_half_way.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(send(home, alice, body()))
    await is_half_way.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert await title_of(home, alice, content_id) == "OLD"
    assert await opens(home, content_id) == "does_not_hold"


async def test_an_upload_that_is_aborted_meanwhile_changes_nothing(home: House, alice: Actor) -> None:
    content_id = await made(home, alice)
    whole = form(("content_id", content_id), ("title", "HALF"), PUBLIC, ("file", b"x" * 300_000))

    async def body() -> AsyncIterator[bytes]:
        yield whole[:-5000]
        [upload] = await uploads(home, alice)
        async with home.client(alice) as http:
            query = {"upload_id": upload["upload_id"]}
            assert (await http.delete("/api/v1/upload", params=query)).status_code == 204
        yield whole[-5000:]

    assert (await send(home, alice, body())).status_code == 400
    assert await title_of(home, alice, content_id) == "OLD"
    assert await opens(home, content_id) == "does_not_hold"


async def test_a_gate_that_cannot_be_set_leaves_the_title_and_the_media(
    home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_id = await made(home, alice)

    async def is_away(wanted: SetGate) -> StoredGate:
        raise Unavailable("nobody there")

    monkeypatch.setattr(home.plugins["auth"].service._gates, "set", is_away)
    answer = await send(home, alice, form(("content_id", content_id), ("title", "NEW"), PUBLIC, ("file", b"x")))
    assert answer.status_code == 503
    assert await title_of(home, alice, content_id) == "OLD"
    assert await gate_of(home, content_id) is None
    assert [item["status"] for item in await uploads(home, alice)] == ["failed"]


@pytest.mark.parametrize("answers", [True, False], ids=["set", "set, and the answer was lost"])
async def test_the_gate_is_put_back_when_the_file_cannot_be_finished(
    home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    content_id = await made(home, alice)
    gates, plugin = home.plugins["auth"].service._gates, home.plugins["upload"]
    set_gate = gates.set
    aborted: list[str] = []

    async def and_abort(wanted: SetGate) -> StoredGate:
        stored: StoredGate = await set_gate(wanted)
        if not aborted:
            [upload] = await uploads(home, alice)
            aborted.append(upload["upload_id"])
            await plugin.uploads.abort(alice, upload["upload_id"])
            if not answers:
                raise Unavailable("the answer is lost")
        return stored

    monkeypatch.setattr(gates, "set", and_abort)
    answer = await send(home, alice, form(("content_id", content_id), ("title", "NEW"), PUBLIC, ("file", b"x")))
    assert answer.status_code == (409 if answers else 503)
    assert len(aborted) == 1
    assert await title_of(home, alice, content_id) == "OLD"
    assert await gate_of(home, content_id) is None
    assert await opens(home, content_id) == "does_not_hold"


async def test_the_new_file_is_told_of_only_behind_its_gate(
    home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the old gate is the wider one, the file is not to be seen through it."""
    content_id = await made(home, alice)
    await home.services.get(AUTH).set_gate(SetGate(content_id=content_id, actor=alice, gate={"public": {}}))
    gates = home.plugins["auth"].service._gates
    seen: list[str] = []

    async def refused(wanted: SetGate) -> StoredGate:
        seen.extend(item["status"] for item in await uploads(home, alice))
        raise GateInvalid("not now")

    monkeypatch.setattr(gates, "set", refused)
    body = form(("content_id", content_id), PUBLIC, ("file", b"x"))
    assert (await send(home, alice, body)).status_code == 422
    assert seen == ["receiving"]
    assert [item["status"] for item in await uploads(home, alice)] == ["failed"]


async def test_what_was_finished_stays_where_only_the_answer_was_lost(
    home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    single = home.plugins["upload"]._routes._single
    finish = single.finish

    async def and_break_off(*arguments: Any) -> None:
        await finish(*arguments)
        raise asyncio.CancelledError

    monkeypatch.setattr(single, "finish", and_break_off)
    with pytest.raises(asyncio.CancelledError):
        await send(home, alice, form(("title", "NEW"), PUBLIC, ("file", b"x")))
    await home.plugins["upload"].sweeper.sweep()
    [upload] = await uploads(home, alice)
    assert upload["status"] == "complete"
    assert await blob_keys(home) == [f"sources/{upload['upload_id']}"]
    assert [content.title for content in await contents(home, alice)] == ["NEW"]
    assert await opens(home, upload["content_id"]) == "holds"


async def test_what_succeeds_is_applied(home: House, alice: Actor) -> None:
    content_id = await made(home, alice)
    answer = await send(home, alice, form(("content_id", content_id), ("title", "NEW"), PUBLIC, ("file", b"x")))
    assert answer.status_code == 201, answer.text
    assert await title_of(home, alice, content_id) == "NEW"
    assert await opens(home, content_id) == "holds"


async def test_a_title_somebody_gave_meanwhile_stays(
    home: House, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    content_id = await made(home, alice)
    metadata = home.services.get(METADATA)

    async def is_away(wanted: SetGate) -> StoredGate:
        await metadata.update(ContentUpdate(content_id=content_id, actor=alice, title="OTHER"))
        raise Unavailable("nobody there")

    monkeypatch.setattr(home.plugins["auth"].service._gates, "set", is_away)
    body = form(("content_id", content_id), ("title", "NEW"), PUBLIC, ("file", b"x"))
    assert (await send(home, alice, body)).status_code == 503
    assert await title_of(home, alice, content_id) == "OTHER"
