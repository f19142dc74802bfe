"""An upload in chunks, over HTTP, with metadata listening."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamgate.context import ANONYMOUS, Actor

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour


def content_digest(data: bytes) -> dict[str, str]:
    return {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"}


async def test_the_whole_road(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip, filename="../Big Buck Bunny.mp4")
    assert upload["chunks"] == 3
    content = await harbour.content(alice, upload["content_id"])
    assert (content.state, content.title, content.owner) == ("uploading", "Big Buck Bunny", "alice")

    await harbour.send_all(alice, upload, clip)
    answer = await harbour.complete(alice, upload)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["sha256"]) == ("verifying", None)

    done = await harbour.until_status(alice, upload, "complete")
    assert done["sha256"] == hashlib.sha256(clip).hexdigest()
    await harbour.until_state(alice, upload["content_id"], "processing")
    [told] = harbour.finished
    assert (told.upload_id, told.content_id, told.size_bytes) == (upload["upload_id"], upload["content_id"], len(clip))
    assert (told.owner, told.filename) == ("alice", "Big Buck Bunny.mp4")
    assert await harbour.blobs.read(told.source_key) == clip


@pytest.mark.parametrize("seed", range(5))
async def test_chunks_come_in_any_order_side_by_side_and_twice(harbour: Harbour, alice: Actor, seed: int) -> None:
    dice = random.Random(seed)
    data = dice.randbytes(64 * 1024 * 6 + dice.randrange(1, 64 * 1024))
    upload = await harbour.init(alice, data)
    order = [*range(upload["chunks"]), *dice.choices(range(upload["chunks"]), k=5)]
    dice.shuffle(order)
    answers = await asyncio.gather(*(harbour.send(alice, upload, data, index) for index in order))
    assert {answer.status_code for answer in answers} == {200}
    await harbour.complete(alice, upload)
    done = await harbour.until_status(alice, upload, "complete")
    assert done["sha256"] == hashlib.sha256(data).hexdigest()


async def test_status_tells_what_to_send_next(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    found = await harbour.status(alice, upload)
    assert (found["missing_chunks"], found["received_bytes"], found["progress"]) == ([0, 1, 2], 0, 0)
    await harbour.send(alice, upload, clip, 2)
    await harbour.send(alice, upload, clip, 0)
    found = await harbour.status(alice, upload)
    assert found["missing_chunks"] == [1]
    assert found["received_bytes"] == len(clip) - upload["chunk_size_bytes"]
    assert 0 < found["progress"] < 1


async def test_completing_too_early_names_what_is_missing(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send(alice, upload, clip, 1)
    answer = await harbour.complete(alice, upload)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.chunks_missing")
    assert answer.json()["missing_chunks"] == [0, 2]
    assert harbour.finished == []


async def test_completing_twice_at_once_and_again_is_harmless(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    answers = await asyncio.gather(*(harbour.complete(alice, upload) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    await harbour.until_status(alice, upload, "complete")
    again = await harbour.complete(alice, upload)
    assert (again.status_code, again.json()["sha256"]) == (200, hashlib.sha256(clip).hexdigest())
    await harbour.until_state(alice, upload["content_id"], "processing")
    assert len(harbour.finished) == 1


@pytest.mark.parametrize(("change", "length"), [("shorter", -1), ("longer", 1), ("empty", None)])
async def test_a_chunk_of_the_wrong_length_is_refused(
    harbour: Harbour, alice: Actor, clip: bytes, change: str, length: int | None
) -> None:
    upload = await harbour.init(alice, clip)
    good = upload["chunk_size_bytes"]
    body = b"x" * (0 if length is None else good + length)

    async def unannounced() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 10_000):
            yield body[at : at + 10_000]

    for content in (body, unannounced()):
        answer = await harbour.send(alice, upload, clip, 0, content=content)
        assert (answer.status_code, answer.json()["code"]) == (422, "upload.chunk_invalid")
    assert (await harbour.status(alice, upload))["missing_chunks"] == [0, 1, 2]
    assert (await harbour.send(alice, upload, clip, 0)).status_code == 200


@pytest.mark.parametrize("index", [3, -1, 10**12])
async def test_a_chunk_outside_the_file_is_refused(harbour: Harbour, alice: Actor, clip: bytes, index: int) -> None:
    upload = await harbour.init(alice, clip)
    answer = await harbour.send(alice, upload, clip, index, content=b"x" * 1000)
    assert (answer.status_code, [each["field"] for each in answer.json()["errors"]]) == (422, ["index"])


async def test_what_is_too_much_is_not_written(harbour: Harbour, alice: Actor, clip: bytes, tmp_path: Path) -> None:
    upload = await harbour.init(alice, clip)

    async def far_too_much() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * (16 * 1024)

    answer = await harbour.send(alice, upload, clip, 1, content=far_too_much())
    assert answer.status_code == 422
    [parts] = (tmp_path / "blobs" / ".parts").iterdir()
    assert parts.stat().st_size <= 2 * upload["chunk_size_bytes"]


async def test_the_digest_of_a_chunk_is_checked(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    size = upload["chunk_size_bytes"]
    for header in (content_digest(b"other"), {"Content-Digest": "sha-256=:AAAA:"}):
        wrong = await harbour.send(alice, upload, clip, 0, headers=header)
        assert (wrong.status_code, wrong.json()["code"]) == (422, "upload.digest_mismatch")
        assert [each["field"] for each in wrong.json()["errors"]] == ["Content-Digest"]
    assert (await harbour.status(alice, upload))["missing_chunks"] == [0, 1, 2]
    right = await harbour.send(alice, upload, clip, 0, headers=content_digest(clip[:size]))
    assert (right.status_code, right.json()["sha256"]) == (200, hashlib.sha256(clip[:size]).hexdigest())


async def test_a_chunk_may_come_as_a_form(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    size = upload["chunk_size_bytes"]

    def form(name: str = "chunk", headers: dict[str, str] | None = None) -> dict[str, Any]:
        part = ("blob", clip[:size], "application/octet-stream", headers or {})
        return {"content": None, "files": {name: part}}

    assert (await harbour.send(alice, upload, clip, 0, **form("other"))).status_code == 400
    bad = await harbour.send(alice, upload, clip, 0, **form(headers=content_digest(b"other")))
    assert bad.json()["code"] == "upload.digest_mismatch"
    whole = await harbour.send(alice, upload, clip, 0, **form(), headers=content_digest(b"not the form"))
    assert whole.json()["code"] == "upload.digest_mismatch"
    assert (await harbour.status(alice, upload))["missing_chunks"] == [0, 1, 2]
    assert (await harbour.send(alice, upload, clip, 0, **form(headers=content_digest(clip[:size])))).status_code == 200
    assert (await harbour.status(alice, upload))["missing_chunks"] == [1, 2]


async def test_an_encoded_chunk_is_refused(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    assert (await harbour.send(alice, upload, clip, 0, headers={"Content-Encoding": "gzip"})).status_code == 415


async def test_acknowledged_bytes_stay_whatever_comes_after(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    other = bytes(upload["chunk_size_bytes"])
    answer = await harbour.send(alice, upload, clip, 0, content=other)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.chunk_differs")
    short = await harbour.send(alice, upload, clip, 0, content=iterate(other[:100]))
    assert short.status_code == 422
    await harbour.complete(alice, upload)
    assert (await harbour.until_status(alice, upload, "complete"))["sha256"] == hashlib.sha256(clip).hexdigest()


async def iterate(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_no_chunk_is_taken_after_completion(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    await harbour.send_all(alice, upload, clip)
    await harbour.complete(alice, upload)
    answer = await harbour.send(alice, upload, clip, 0)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.closed")


async def test_a_declared_digest_that_fits(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    digest = hashlib.sha256(clip).hexdigest()
    upload = await harbour.init(alice, clip, sha256=digest.upper())
    await harbour.send_all(alice, upload, clip)
    assert (await harbour.complete(alice, upload, sha256="0" * 64)).status_code == 422
    assert (await harbour.complete(alice, upload, sha256=digest)).status_code == 200
    await harbour.until_status(alice, upload, "complete")


@pytest.mark.parametrize("at", ["init", "complete"])
async def test_a_mismatch_takes_the_content_back(harbour: Harbour, alice: Actor, clip: bytes, at: str) -> None:
    wrong = hashlib.sha256(b"another file").hexdigest()
    upload = await harbour.init(alice, clip, **({"sha256": wrong} if at == "init" else {}))
    await harbour.send_all(alice, upload, clip)
    answer = await harbour.complete(alice, upload, **({"sha256": wrong} if at == "complete" else {}))
    assert answer.status_code == 200
    failed = await harbour.until_status(alice, upload, "failed")
    assert failed["failure"] == "upload.digest_mismatch"
    content = await harbour.until_state(alice, upload["content_id"], "failed")
    assert (content.failure, content.playable) == ("upload.digest_mismatch", False)
    assert [told.code for told in harbour.failed] == ["upload.digest_mismatch"]
    assert harbour.failed[0].revision > harbour.finished[0].revision
    harbour.home.plugins["upload"].sweeper.wake()
    await harbour.until_no_blobs()


async def test_init_names_every_fault(harbour: Harbour, alice: Actor) -> None:
    body = {"filename": "x", "size_bytes": 0, "sha256": "abc", "content_type": "nonsense"}
    answer = await harbour.call(alice, "POST", "/init", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["size_bytes", "content_type", "sha256"]


async def test_uploads_of_others_are_unknown(harbour: Harbour, alice: Actor, bob: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    query = {"upload_id": upload["upload_id"]}
    for actor, expected in ((bob, 404), (ANONYMOUS, 401)):
        answers = [
            await harbour.send(actor, upload, clip, 0),
            await harbour.send(actor, upload, clip, 0, content=b"too short"),
            await harbour.complete(actor, upload),
            await harbour.call(actor, "GET", "/status", params=query),
            await harbour.call(actor, "DELETE", "", params=query),
        ]
        assert {answer.status_code for answer in answers} == {expected}
    unknown = await harbour.call(bob, "GET", "/status", params={"upload_id": "u_0000000000000000000000"})
    theirs = await harbour.call(bob, "GET", "/status", params=query)
    assert unknown.json()["code"] == theirs.json()["code"] == "upload.not_found"
    assert (await harbour.status(alice, upload))["status"] == "receiving"


async def test_only_creators_upload_and_only_into_their_own(
    harbour: Harbour, alice: Actor, bob: Actor, clip: bytes
) -> None:
    viewer = Actor(kind="user", user_id="vi", roles=("viewer",))
    body = {"filename": "x.mp4", "size_bytes": len(clip)}
    assert (await harbour.call(viewer, "POST", "/init", json=body)).status_code == 403
    content_id = (await harbour.init(alice, clip))["content_id"]
    answer = await harbour.call(bob, "POST", "/init", json={**body, "content_id": content_id})
    assert (answer.status_code, answer.json()["code"]) == (404, "content.not_found")
    assert (await harbour.init(alice, clip, content_id=content_id))["content_id"] == content_id


async def test_own_uploads_are_listed_newest_first(harbour: Harbour, alice: Actor, bob: Actor, clip: bytes) -> None:
    made = {(await harbour.init(alice, clip))["upload_id"] for _ in range(5)}
    await harbour.init(bob, clip)
    found: list[str] = []
    cursor = ""
    while True:
        page = (await harbour.call(alice, "GET", "/list", params={"limit": 2, "cursor": cursor})).json()
        found += [item["upload_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = page["next_cursor"]
    assert len(found) == 5
    assert set(found) == made
    assert (await harbour.call(alice, "GET", "/list", params={"cursor": "%%%"})).status_code == 422
