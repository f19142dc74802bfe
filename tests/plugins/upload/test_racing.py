"""Requests that meet on one chunk or one upload."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from streamgate.context import Actor
from streamgate.testing.attacks import attack
from streamgate_upload import receiving, repository

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour


class Valve:
    """A body that comes in two halves, the second when the test says so."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.is_half_way = asyncio.Event()
        self._goes_on = asyncio.Event()

    def open(self) -> None:
        self._goes_on.set()

    async def body(self) -> AsyncIterator[bytes]:
        half = len(self._data) // 2
        yield self._data[:half]
        self.is_half_way.set()
        await self._goes_on.wait()
        yield self._data[half:]


async def test_two_senders_of_one_chunk_are_both_told_it_is_there(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    size = upload["chunk_size_bytes"]
    valve = Valve(clip[:size])
    first = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=valve.body()))
    await valve.is_half_way.wait()
    second = asyncio.create_task(harbour.send(alice, upload, clip, 0))
    await harbour.status(alice, upload)
    valve.open()
    answers = await asyncio.gather(first, second)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await harbour.status(alice, upload))["received_bytes"] == size


async def test_a_sender_that_fell_silent_loses_its_chunk(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harbour.home.plugins["upload"].receiver, "_silent_s", 0.05)
    upload = await harbour.init(alice, clip)
    size = upload["chunk_size_bytes"]
    gone = Valve(b"y" * size)
    first = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=gone.body()))
    await gone.is_half_way.wait()
    assert (await harbour.send(alice, upload, clip, 0)).status_code == 200
    # The silent one was ended before the other began to write, though its client never said a word.
    gone.open()
    assert ((await first).status_code, (await first).json()["code"]) == (409, "upload.chunk_busy")
    for index in (1, 2):
        await harbour.send(alice, upload, clip, index)
    await harbour.complete(alice, upload)
    assert (await harbour.until_status(alice, upload, "complete"))["sha256"] == hashlib.sha256(clip).hexdigest()


@attack("B38")
async def test_a_chunk_that_another_process_writes_is_busy(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "BUSY_WAIT_S", 0.1)
    monkeypatch.setattr(receiving, "BUSY_POLL_S", 0.02)
    upload = await harbour.init(alice, clip)
    db = harbour.home.plugins["upload"]._db
    await db.write(lambda session: repository.claim_chunk(session, upload["upload_id"], 0, "theirs", 0, 2**60) and None)
    answer = await harbour.send(alice, upload, clip, 0)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.chunk_busy")
    assert answer.headers["retry-after"] == "1"
    assert (await harbour.send(alice, upload, clip, 1)).status_code == 200


async def test_a_claim_that_ran_out_passes_on(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    db = harbour.home.plugins["upload"]._db
    await db.write(lambda session: repository.claim_chunk(session, upload["upload_id"], 0, "dead", 0, 1) and None)
    assert (await harbour.send(alice, upload, clip, 0)).status_code == 200


async def test_completing_while_a_needed_chunk_comes_is_refused(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    size = upload["chunk_size_bytes"]
    for index in (1, 2):
        await harbour.send(alice, upload, clip, index)
    valve = Valve(clip[:size])
    sending = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=valve.body()))
    await valve.is_half_way.wait()
    early = await harbour.complete(alice, upload)
    assert (early.status_code, early.json()["missing_chunks"]) == (409, [0])
    valve.open()
    assert (await sending).status_code == 200
    assert (await harbour.complete(alice, upload)).status_code == 200


async def test_a_repetition_on_its_way_does_not_touch_what_is_complete(
    harbour: Harbour, alice: Actor, clip: bytes
) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    valve = Valve(bytes(upload["chunk_size_bytes"]))
    late = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=valve.body()))
    await valve.is_half_way.wait()
    assert (await harbour.complete(alice, upload)).status_code == 200
    valve.open()
    assert (await late).status_code == 409
    done = await harbour.until_status(alice, upload, "complete")
    assert done["sha256"] == hashlib.sha256(clip).hexdigest()
    assert await harbour.blobs.read(harbour.finished[0].source_key) == clip


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    valve = Valve(clip[: upload["chunk_size_bytes"]])
    sending = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=valve.body()))
    await valve.is_half_way.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert (await harbour.status(alice, upload))["missing_chunks"] == [0, 1, 2]
    assert (await harbour.send(alice, upload, clip, 0)).status_code == 200


async def test_aborting_ends_the_requests_that_send(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    valve = Valve(clip[: upload["chunk_size_bytes"]])
    sending = asyncio.create_task(harbour.send(alice, upload, clip, 0, content=valve.body()))
    await valve.is_half_way.wait()
    answer = await harbour.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
    assert answer.status_code == 204
    valve.open()
    assert (await sending).status_code == 409
    assert (await harbour.status(alice, upload))["status"] == "aborted"


@attack("B38")
async def test_open_uploads_of_a_person_are_limited_also_when_they_come_at_once(
    open_harbour: OpenHarbour, alice: Actor, bob: Actor, clip: bytes
) -> None:
    async with open_harbour(max_open_uploads=2) as harbour:
        body = {"filename": "x.mp4", "size_bytes": len(clip)}
        answers = await asyncio.gather(*(harbour.call(alice, "POST", "/init", json=body) for _ in range(6)))
        codes = sorted(answer.status_code for answer in answers)
        assert codes == [201, 201, 429, 429, 429, 429]
        assert {answer.json()["code"] for answer in answers if answer.status_code == 429} == {"upload.too_many"}
        await harbour.init(bob, clip)
        made = next(answer.json() for answer in answers if answer.status_code == 201)
        await harbour.call(alice, "DELETE", "", params={"upload_id": made["upload_id"]})
        await harbour.init(alice, clip)
