"""A whole file in one request."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, NewContent
from streamgate_upload import repository

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

BOUNDARY = "a-boundary"


def form(*parts: tuple[str, bytes | str]) -> dict[str, Any]:
    """A form with its parts in this order, as curl would send it."""
    body = b""
    for name, value in parts:
        filename = '; filename="../Big Buck Bunny.mp4"\r\nContent-Type: video/mp4' if name == "file" else ""
        data = value if isinstance(value, bytes) else value.encode()
        body += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
        body += data + b"\r\n"
    body += f"--{BOUNDARY}--\r\n".encode()
    return {"content": body, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}


async def post(harbour: Harbour, actor: Actor, *parts: tuple[str, bytes | str]) -> httpx.Response:
    return await harbour.call(actor, "POST", "", **form(*parts))


async def test_a_file_is_whole_when_the_answer_comes(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    answer = await post(harbour, alice, ("file", clip))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["status"], made["size_bytes"]) == ("complete", len(clip))
    assert made["sha256"] == hashlib.sha256(clip).hexdigest()
    assert made["filename"] == "Big Buck Bunny.mp4"
    content = await harbour.until_state(alice, made["content_id"], "processing")
    assert content.title == "Big Buck Bunny"
    [told] = harbour.finished
    assert await harbour.blobs.read(told.source_key) == clip


@pytest.mark.parametrize("order", ["before", "after"])
async def test_title_and_gate_on_either_side_of_the_file(
    harbour: Harbour, alice: Actor, clip: bytes, order: str
) -> None:
    gate: dict[str, Any] = {"public": {}}
    fields: list[tuple[str, bytes | str]] = [("title", "Büchse"), ("gate", json.dumps(gate))]
    file: list[tuple[str, bytes | str]] = [("file", clip)]
    made = (await post(harbour, alice, *(fields + file if order == "before" else file + fields))).json()
    assert (await harbour.content(alice, made["content_id"])).title == "Büchse"
    assert harbour.gates.kept == {made["content_id"]: gate}


async def test_into_a_content_of_ones_own(harbour: Harbour, alice: Actor, bob: Actor, clip: bytes) -> None:
    new = NewContent(actor=alice, title="Mine")
    content_id = (await harbour.home.services.get(METADATA).create(new)).content_id
    refused = await post(harbour, bob, ("content_id", content_id), ("file", clip))
    assert (refused.status_code, refused.json()["code"]) == (404, "content.not_found")
    taken = await post(harbour, alice, ("content_id", content_id), ("file", clip))
    assert taken.json()["content_id"] == content_id
    assert (await harbour.content(alice, content_id)).title == "Mine"


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([("title", "x")], "file"),
        ([("file", b"")], "file"),
        ([("file", b"x"), ("file", b"y")], "file"),
        ([("file", b"x"), ("content_id", "c_1")], "content_id"),
        ([("owner", "bob"), ("file", b"x")], "owner"),
        ([("gate", "not json"), ("file", b"x")], "gate"),
        ([("gate", "[]"), ("file", b"x")], "gate"),
        ([("title", "a\nb"), ("file", b"x")], "title"),
        ([("title", b"\xff"), ("file", b"x")], "title"),
        ([("content_id", b"c_\0"), ("file", b"x")], "content_id"),
        ([("file", b"x"), ("title", "")], "title"),
        ([("title", "x" * 70_000), ("file", b"x")], "title"),
    ],
)
async def test_faults_of_the_form_are_named(
    harbour: Harbour, alice: Actor, parts: list[tuple[str, bytes | str]], field: str
) -> None:
    answer = await post(harbour, alice, *parts)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert harbour.finished == []
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert await harbour.blob_keys() == []


async def test_no_form_is_415_and_a_broken_one_400(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    assert (await harbour.call(alice, "POST", "", content=clip)).status_code == 415
    whole = form(("file", clip))
    cut = await harbour.call(alice, "POST", "", content=whole["content"][:-10_000], headers=whole["headers"])
    assert cut.status_code == 400
    assert harbour.finished == []
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert await harbour.blob_keys() == []


async def test_too_large_is_413_announced_or_not(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(max_size_bytes=1000) as harbour:
        large = form(("file", b"x" * 2_000_000))

        async def unannounced() -> AsyncIterator[bytes]:
            for at in range(0, len(large["content"]), 50_000):
                yield large["content"][at : at + 50_000]

        for content in (large["content"], unannounced()):
            answer = await harbour.call(alice, "POST", "", content=content, headers=large["headers"])
            assert (answer.status_code, answer.json()["code"]) == (413, "upload.too_large")
        chunked = {"filename": "x", "size_bytes": 1001}
        assert (await harbour.call(alice, "POST", "/init", json=chunked)).status_code == 413
        assert (await post(harbour, alice, ("file", b"x" * 1000))).status_code == 201
        await harbour.home.plugins["upload"].sweeper.sweep()
        assert len(await harbour.blob_keys()) == 1


async def test_a_client_that_leaves_fails_the_upload_and_leaves_the_content_as_it_was(
    harbour: Harbour, alice: Actor, clip: bytes
) -> None:
    new = NewContent(actor=alice, title="Mine")
    content_id = (await harbour.home.services.get(METADATA).create(new)).content_id
    whole = form(("content_id", content_id), ("file", clip))
    is_half_way = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield whole["content"][: len(clip) // 2]
        is_half_way.set()
        await asyncio.Event().wait()

    sending = asyncio.create_task(harbour.call(alice, "POST", "", content=body(), headers=whole["headers"]))
    await is_half_way.wait()
    sending.cancel()
    await asyncio.wait({sending})
    [item] = (await harbour.call(alice, "GET", "/list")).json()["items"]
    assert item["status"] == "failed"
    await harbour.until_failed(item["upload_id"])
    content = await harbour.content(alice, item["content_id"])
    assert (content.state, content.failure) == ("draft", "")


async def test_a_request_whose_process_died_is_given_up(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        made = (await post(harbour, alice, ("file", clip))).json()
        plugin = harbour.home.plugins["upload"]

        def as_if_killed(session: Session) -> None:
            row = repository.get_locked(session, made["upload_id"])
            row.status, row.expires_at_ms = "receiving", 0

        await plugin._db.write(as_if_killed)
        await plugin.sweeper.sweep()
        failed = await harbour.status(alice, made)
        assert (failed["status"], failed["failure"]) == ("failed", "upload.interrupted")
        assert await harbour.blob_keys() == []


async def test_chunks_and_completion_do_not_fit_a_single_request(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    made = (await post(harbour, alice, ("file", clip))).json()
    query = {"upload_id": made["upload_id"], "index": 0}
    chunk = await harbour.call(alice, "POST", "/chunk", params=query, content=b"x")
    assert (chunk.status_code, chunk.json()["code"]) == (409, "upload.closed")
    again = await harbour.call(alice, "POST", "/complete", json={"upload_id": made["upload_id"]})
    assert again.json() == made
