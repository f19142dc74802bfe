"""tus 1.0.0: what the protocol asks, on the engine of the other uploads."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from streamgate.context import Actor
from streamgate.errors import Invalid
from streamgate.sdk.blobs.base import StoreClosed
from streamgate_upload import tails
from streamgate_upload.tus_words import BYTES_TYPE, parse_metadata

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": BYTES_TYPE}


def told(**metadata: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in metadata.items())


async def create(harbour: Harbour, actor: Actor, size_bytes: int, **metadata: str) -> str:
    """The id of a new upload."""
    headers = {**TUS, "Upload-Length": str(size_bytes), "Upload-Metadata": told(**metadata)}
    answer = await harbour.call(actor, "POST", "/tus", headers=headers)
    assert answer.status_code == 201, answer.text
    where = answer.headers["location"]
    assert where.startswith("/api/v1/upload/tus/u_")
    return where.rpartition("/")[2]


async def patch(harbour: Harbour, actor: Actor, upload_id: str, offset: int, content: Any) -> httpx.Response:
    headers = {**BYTES, "Upload-Offset": str(offset)}
    return await harbour.call(actor, "PATCH", f"/tus/{upload_id}", headers=headers, content=content)


async def head(harbour: Harbour, actor: Actor, upload_id: str) -> httpx.Response:
    return await harbour.call(actor, "HEAD", f"/tus/{upload_id}", headers=TUS)


async def test_the_whole_road(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip), filename="mine.mp4", filetype="video/mp4", title="Mine")
    first = await head(harbour, alice, upload_id)
    assert first.status_code == 200
    assert (first.headers["upload-offset"], first.headers["upload-length"]) == ("0", str(len(clip)))
    assert first.headers["tus-resumable"] == "1.0.0"
    assert first.headers["cache-control"] == "no-store"
    assert "upload-expires" in first.headers
    offset = 0
    for size in (10, 70_000, 1, 60_000, len(clip)):  # across the edges of chunks, and within one
        answer = await patch(harbour, alice, upload_id, offset, clip[offset : offset + size])
        assert answer.status_code == 204, answer.text
        offset = int(answer.headers["upload-offset"])
        assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == str(offset)
    assert offset == len(clip)
    done = await harbour.until_status(alice, {"upload_id": upload_id}, "complete")
    assert (done["sha256"], done["filename"]) == (hashlib.sha256(clip).hexdigest(), "mine.mp4")
    assert (await harbour.content(alice, done["content_id"])).title == "Mine"
    assert await harbour.blob_keys() == [f"sources/{upload_id}"]
    assert await harbour.blobs.read(f"sources/{upload_id}") == clip
    [told_others] = harbour.finished
    assert told_others.size_bytes == len(clip)


async def test_creation_may_bring_all_of_it(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    headers = {**BYTES, "Upload-Length": str(len(clip)), "Upload-Metadata": told(filename="x.mp4")}
    answer = await harbour.call(alice, "POST", "/tus", headers=headers, content=clip)
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(clip)))
    upload_id = answer.headers["location"].rpartition("/")[2]
    await harbour.until_status(alice, {"upload_id": upload_id}, "complete")


async def test_options_say_what_is_spoken(harbour: Harbour, alice: Actor) -> None:
    answer = await harbour.call(alice, "OPTIONS", "/tus")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) >= {"creation", "termination", "expiration"}
    assert int(answer.headers["tus-max-size"]) > 0


async def test_bytes_that_came_before_a_break_are_kept(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))

    async def breaking() -> AsyncIterator[bytes]:
        yield clip[:70_000]
        raise ConnectionResetError("gone")

    assert (await patch(harbour, alice, upload_id, 0, breaking())).status_code == 500
    assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "70000"
    assert (await patch(harbour, alice, upload_id, 70_000, clip[70_000:])).status_code == 204
    await harbour.until_status(alice, {"upload_id": upload_id}, "complete")
    assert await harbour.blobs.read(f"sources/{upload_id}") == clip


@pytest.mark.parametrize("broken", ["write_part", "delete"])
async def test_a_store_that_fails_at_the_end_of_a_chunk_leaves_an_upload_that_goes_on(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """`write_part`: the chunk is not stored; `delete`: it is, and the pieces that went into it stay for a while."""
    upload_id = await create(harbour, alice, len(clip))
    assert (await patch(harbour, alice, upload_id, 0, clip[:70_000])).status_code == 204

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreClosed("the blob store cannot be reached")

    with monkeypatch.context() as broken_store:
        broken_store.setattr(harbour.blobs, broken, away)
        assert (await patch(harbour, alice, upload_id, 70_000, clip[70_000:])).status_code in (204, 503)
    offset = int((await head(harbour, alice, upload_id)).headers["upload-offset"])
    assert (await patch(harbour, alice, upload_id, offset, clip[offset:])).status_code == 204
    await harbour.until_status(alice, {"upload_id": upload_id}, "complete")
    assert await harbour.blobs.read(f"sources/{upload_id}") == clip


async def test_an_upload_goes_on_after_a_restart(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        upload_id = await create(harbour, alice, len(clip))
        await patch(harbour, alice, upload_id, 0, clip[:100_000])
    async with open_harbour() as harbour:
        assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "100000"
        assert (await patch(harbour, alice, upload_id, 100_000, clip[100_000:])).status_code == 204
        await harbour.until_status(alice, {"upload_id": upload_id}, "complete")
        assert await harbour.blobs.read(f"sources/{upload_id}") == clip


async def test_many_small_requests_do_not_make_many_blobs(
    harbour: Harbour, alice: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails, "PIECES_MAX", 3)
    data = bytes(range(100)) * 3
    upload_id = await create(harbour, alice, len(data))
    for offset in range(10):
        assert (await patch(harbour, alice, upload_id, offset, data[offset : offset + 1])).status_code == 204
        assert len(await harbour.blob_keys()) <= 3
    assert (await patch(harbour, alice, upload_id, 10, data[10:])).status_code == 204
    assert await harbour.blobs.read(f"sources/{upload_id}") == data


async def test_two_requests_at_once_do_not_mix(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    answers = await asyncio.gather(*(patch(harbour, alice, upload_id, 0, clip) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409]
    assert await harbour.blobs.read(f"sources/{upload_id}") == clip


async def test_a_silent_request_gives_way_to_the_next(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        appender = harbour.home.plugins["upload"].appender
        appender.holds.silent_s = 0.0
        upload_id = await create(harbour, alice, len(clip))
        is_half_way = asyncio.Event()

        async def silent() -> AsyncIterator[bytes]:
            yield clip[:1000]
            is_half_way.set()
            await asyncio.Event().wait()

        stuck = asyncio.create_task(patch(harbour, alice, upload_id, 0, silent()))
        await is_half_way.wait()
        offset = 0
        answer = await patch(harbour, alice, upload_id, offset, clip)
        while answer.status_code == 409:
            offset = answer.json()["offset"]
            answer = await patch(harbour, alice, upload_id, offset, clip[offset:])
        assert (answer.status_code, offset) == (204, 1000)  # what the silent one brought is kept
        assert (await stuck).status_code == 409
        assert await harbour.blobs.read(f"sources/{upload_id}") == clip


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Tus-Resumable": "0.2.2"}, 412, "upload.tus_version"),
        ({"Tus-Resumable": ""}, 412, "upload.tus_version"),
        ({"Content-Type": "application/octet-stream"}, 415, "request.unsupported_media_type"),
        ({"Upload-Offset": "1"}, 409, "upload.offset_mismatch"),
        ({"Upload-Offset": "-1"}, 400, "request.malformed"),
        ({"Upload-Offset": "ten"}, 400, "request.malformed"),
        ({"Upload-Offset": ""}, 400, "request.malformed"),
    ],
)
async def test_requests_that_do_not_fit_change_nothing(
    harbour: Harbour, alice: Actor, clip: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    upload_id = await create(harbour, alice, len(clip))
    wrong = {**BYTES, "Upload-Offset": "0", **headers}
    answer = await harbour.call(alice, "PATCH", f"/tus/{upload_id}", headers=wrong, content=clip)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 400, "request.malformed"),
        ({"Upload-Length": "x"}, 400, "request.malformed"),
        ({"Upload-Defer-Length": "2"}, 400, "request.malformed"),
        ({"Upload-Defer-Length": "1", "Upload-Length": "10"}, 400, "request.malformed"),
        ({"Upload-Length": "10", "Upload-Checksum": "crc32 AAAAAA=="}, 400, "request.malformed"),
        ({"Upload-Length": "10", "Upload-Checksum": "sha1 AAAAAA=="}, 400, "request.malformed"),
        ({"Upload-Length": "10", "Upload-Checksum": "sha1 ***"}, 400, "request.malformed"),
        ({"Upload-Length": "0"}, 422, "request.invalid"),
        ({"Upload-Length": "1000001"}, 413, "upload.too_large"),
        ({"Upload-Length": "10", "Upload-Metadata": "filename ***"}, 422, "request.invalid"),
        ({"Upload-Length": "10", "Upload-Metadata": "a YQ==,a YQ=="}, 422, "request.invalid"),
        ({"Upload-Length": "10", "Upload-Metadata": told(content_id="c_none")}, 404, "content.not_found"),
        ({"Upload-Length": "10", "Tus-Resumable": "2.0.0"}, 412, "upload.tus_version"),
    ],
)
async def test_uploads_that_cannot_begin(
    open_harbour: OpenHarbour, alice: Actor, headers: dict[str, str], status: int, code: str
) -> None:
    async with open_harbour(max_size_bytes=1_000_000) as harbour:
        answer = await harbour.call(alice, "POST", "/tus", headers={**TUS, **headers})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert (await harbour.call(alice, "GET", "/list")).json()["items"] == []


async def test_more_than_was_said_is_refused(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip) - 1)
    answer = await patch(harbour, alice, upload_id, 0, clip)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload.too_large")


async def test_an_upload_of_somebody_else_is_not_there(harbour: Harbour, alice: Actor, bob: Actor) -> None:
    upload_id = await create(harbour, alice, 10)
    assert (await head(harbour, bob, upload_id)).status_code == 404
    assert (await patch(harbour, bob, upload_id, 0, b"x")).status_code == 404
    assert (await harbour.call(bob, "DELETE", f"/tus/{upload_id}", headers=TUS)).status_code == 404


async def test_termination_takes_everything(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    await patch(harbour, alice, upload_id, 0, clip[:70_000])
    assert (await harbour.call(alice, "DELETE", f"/tus/{upload_id}", headers=TUS)).status_code == 204
    assert (await head(harbour, alice, upload_id)).status_code == 410
    answer = await patch(harbour, alice, upload_id, 70_000, clip[70_000:])
    assert (answer.status_code, answer.json()["code"]) == (410, "upload.gone")
    await harbour.until_no_blobs()


async def test_get_gives_no_bytes(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    await patch(harbour, alice, upload_id, 0, clip)
    answer = await harbour.call(alice, "GET", f"/tus/{upload_id}")
    assert answer.json()["received_bytes"] == len(clip)


async def test_chunks_and_tus_are_told_apart(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload = await harbour.init(alice, clip)
    answer = await patch(harbour, alice, upload["upload_id"], 0, clip)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.closed")
    upload_id = await create(harbour, alice, len(clip))
    made = {"upload_id": upload_id, "chunk_size_bytes": 65_536}
    assert (await harbour.send(alice, made, clip, 0)).status_code == 409


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("is_draft", {"is_draft": ""}),
        ("filename Y2xpcC5tcDQ=,is_draft", {"filename": "clip.mp4", "is_draft": ""}),
        (" filename Y2xpcC5tcDQ= , title w6Q=", {"filename": "clip.mp4", "title": "ä"}),
    ],
)
def test_metadata_is_read(header: str, expected: dict[str, str]) -> None:
    assert parse_metadata(header) == expected


@pytest.mark.parametrize(
    "header", ["a b c", "a YQ==,a YQ==", ",", "a /w==", "a AA==", "\x7f YQ==", "k " + "YQ==" * 4000]
)
def test_metadata_that_cannot_be_read_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        parse_metadata(header)
