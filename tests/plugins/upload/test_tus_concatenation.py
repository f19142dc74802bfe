"""tus: partial uploads, and what is made of them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import update

from streamgate.context import Actor
from streamgate.contracts.uploads import StorageFull
from streamgate.sdk.blobs import BlobMissing
from streamgate_upload import ending, repository
from streamgate_upload.tables import UploadRow
from tests.plugins.upload.test_tus import TUS, head, told
from tests.plugins.upload.test_tus_extensions import begin, checksum, send

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

PREFIX = "/api/v1/upload/tus"


async def make_partial(harbour: Harbour, actor: Actor, data: bytes) -> str:
    """The id of one that is whole."""
    answer = await begin(harbour, actor, data, Upload_Concat="partial", Upload_Length=str(len(data)))
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(data))), answer.text
    return answer.headers["location"].rpartition("/")[2]


async def halves(harbour: Harbour, actor: Actor, data: bytes) -> list[str]:
    return [await make_partial(harbour, actor, data[:90_000]), await make_partial(harbour, actor, data[90_000:])]


async def join(harbour: Harbour, actor: Actor, ids: list[str], *, host: str = "", metadata: str = "") -> httpx.Response:
    words = "final;" + " ".join(f"{host}{PREFIX}/{upload_id}" for upload_id in ids)
    return await begin(harbour, actor, Upload_Concat=words, Upload_Metadata=metadata)


async def check_final(harbour: Harbour, actor: Actor, answer: httpx.Response, data: bytes) -> dict[str, Any]:
    """Only the final one is left, with the bytes."""
    assert answer.status_code == 201, answer.text
    upload_id = answer.headers["location"].rpartition("/")[2]
    found = await harbour.until_status(actor, {"upload_id": upload_id}, "complete")
    assert (found["sha256"], found["size_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert await harbour.blobs.read(f"sources/{upload_id}") == data
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert await harbour.blob_keys() == [f"sources/{upload_id}"]
    return found


async def used(harbour: Harbour, actor: Actor) -> tuple[int, int]:
    quota = (await harbour.call(actor, "GET", "/quota")).json()
    return quota["used_bytes"], quota["open_uploads"]


async def test_partial_uploads_become_one(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    ids = await halves(harbour, alice, clip)
    assert await used(harbour, alice) == (len(clip), 2)
    assert (await harbour.call(alice, "GET", "/list")).json()["items"] == []
    for upload_id in ids:
        found = await head(harbour, alice, upload_id)
        assert found.headers["upload-concat"] == "partial"
        assert found.headers["upload-offset"] == found.headers["upload-length"]
        assert (await harbour.status(alice, {"upload_id": upload_id}))["content_id"] == ""
        assert (await harbour.complete(alice, {"upload_id": upload_id})).json()["code"] == "upload.closed"
    metadata = told(filename="mine.mp4", title="Mine")
    answer = await join(harbour, alice, ids, host="https://example.com", metadata=metadata)
    done = await check_final(harbour, alice, answer, clip)
    assert (await harbour.content(alice, done["content_id"])).title == "Mine"
    assert await used(harbour, alice) == (len(clip), 0)
    found = await head(harbour, alice, done["upload_id"])
    assert found.headers["upload-concat"] == f"final;{' '.join(f'https://example.com{PREFIX}/{each}' for each in ids)}"
    assert (found.headers["upload-offset"], found.headers["upload-length"]) == (str(len(clip)), str(len(clip)))
    assert found.headers["upload-metadata"] == metadata
    [told_others] = harbour.finished
    assert (told_others.upload_id, harbour.failed) == (done["upload_id"], [])
    refused = await send(harbour, alice, done["upload_id"], len(clip), b"x", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "upload.final")
    assert {heard.id for heard in harbour.live if heard.kind == "upload"} == {done["upload_id"]}


async def test_partial_uploads_may_have_lengths_told_late_and_checksums(
    harbour: Harbour, alice: Actor, clip: bytes
) -> None:
    made = await begin(harbour, alice, Upload_Concat="partial", Upload_Defer_Length="1")
    deferred = made.headers["location"].rpartition("/")[2]
    wrong = await send(harbour, alice, deferred, 0, clip, checksum(b"other"))
    assert wrong.status_code == 460
    unfinished = await join(harbour, alice, [deferred])
    assert (unfinished.status_code, unfinished.json()["unfinished"]) == (409, [deferred])
    assert (await send(harbour, alice, deferred, 0, clip[:10], checksum(clip[:10]))).status_code == 204
    assert (await send(harbour, alice, deferred, 10, b"", {"Upload-Length": "10"})).status_code == 204
    last = await make_partial(harbour, alice, clip[10:])
    await check_final(harbour, alice, await join(harbour, alice, [deferred, last]), clip)


async def test_asking_again_gives_what_was_made(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    ids = await halves(harbour, alice, clip)
    answers = await asyncio.gather(*(join(harbour, alice, ids) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert (await head(harbour, alice, ids[0])).headers["upload-offset"] == "90000"  # nothing is sent again
    await check_final(harbour, alice, answers[0], clip)
    assert len(harbour.finished) == 1
    turned = await join(harbour, alice, ids[::-1])
    assert (turned.status_code, turned.json()["code"]) == (410, "upload.gone")
    ended = await harbour.call(alice, "DELETE", f"/tus/{ids[0]}", headers=TUS)
    assert (ended.status_code, ended.json()["code"]) == (409, "upload.closed")


WRONG: list[tuple[str, dict[str, str], int, str]] = [
    ("whole", {}, 400, "request.malformed"),
    ("final;", {}, 400, "request.malformed"),
    ("final", {}, 400, "request.malformed"),
    ("final;/elsewhere/{0}", {}, 400, "request.malformed"),
    (f"final;{PREFIX}/../{{0}}", {}, 400, "request.malformed"),
    (f"final;{PREFIX}/{{0}} {PREFIX}/{{0}}", {}, 400, "request.malformed"),
    (f"final;{PREFIX}/{{0}}", {"Upload-Length": "9"}, 400, "request.malformed"),
    (f"final;{PREFIX}/{{0}}", {"Upload-Defer-Length": "1"}, 400, "request.malformed"),
    (f"final;{PREFIX}/u_unknown", {}, 404, "upload.not_found"),
    (f"final;{PREFIX}/{{other}}", {}, 404, "upload.not_found"),
    (f"final;{PREFIX}/{{no_partial}}", {}, 400, "request.malformed"),
    (f"final;{PREFIX}/{{unfinished}}", {}, 409, "upload.partials_unfinished"),
    (f"final;{PREFIX}/{{0}}", {"Upload-Metadata": told(content_id="c_none")}, 404, "content.not_found"),
]


async def test_what_cannot_be_put_together_changes_nothing(harbour: Harbour, alice: Actor, bob: Actor) -> None:
    mine = await make_partial(harbour, alice, b"mine")
    names = {"other": await make_partial(harbour, bob, b"theirs")}
    for name, more in (("no_partial", {}), ("unfinished", {"Upload-Concat": "partial"})):
        made = await begin(harbour, alice, headers=more, Upload_Length="3")
        names[name] = made.headers["location"].rpartition("/")[2]
    before = await used(harbour, alice)
    for words, headers, status, code in WRONG:
        answer = await begin(harbour, alice, headers=headers, Upload_Concat=words.format(mine, **names))
        assert (answer.status_code, answer.json()["code"]) == (status, code), words
    assert await used(harbour, alice) == before
    assert (await join(harbour, alice, [mine])).status_code == 201


async def test_a_moderator_makes_nothing_of_what_others_sent(harbour: Harbour, alice: Actor) -> None:
    ids = [await make_partial(harbour, alice, b"x")]
    moderator = Actor(kind="user", user_id="mo", roles=("creator", "moderator"))
    assert (await join(harbour, moderator, ids)).status_code == 404
    with_bytes = await begin(harbour, alice, b"x", Upload_Concat=f"final;{PREFIX}/{ids[0]}")
    assert (with_bytes.status_code, with_bytes.json()["code"]) == (403, "upload.final")


async def test_limits_hold_for_the_whole(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    """Each part may be small enough where the whole is not; and as many as may be open can become one."""
    async with open_harbour(max_size_bytes=100_000, max_open_uploads=2) as harbour:
        ids = await halves(harbour, alice, clip)
        answer = await join(harbour, alice, ids)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload.too_large")
        for upload_id in ids:
            assert (await harbour.call(alice, "DELETE", f"/tus/{upload_id}", headers=TUS)).status_code == 204
        assert await used(harbour, alice) == (0, 0)
        small = [await make_partial(harbour, alice, clip[:10]), await make_partial(harbour, alice, clip[10:20])]
        assert (await begin(harbour, alice, Upload_Length="1")).status_code == 429
        await check_final(harbour, alice, await join(harbour, alice, small), clip[:20])


async def test_a_store_that_fails_leaves_the_partial_ones(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await halves(harbour, alice, clip)

    async def full(*_: Any) -> Any:
        raise StorageFull("full")

    with monkeypatch.context() as broken_store:
        broken_store.setattr(harbour.blobs, "concatenate", full)
        assert (await join(harbour, alice, ids)).status_code == 507
    assert await used(harbour, alice) == (len(clip), 2)
    await check_final(harbour, alice, await join(harbour, alice, ids), clip)


async def test_a_part_that_ends_while_the_whole_is_made_takes_it_back(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await halves(harbour, alice, clip)
    concatenate = harbour.blobs.concatenate

    async def slow(key: str, sources: list[str]) -> Any:
        made = await concatenate(key, sources)
        assert (await harbour.call(alice, "DELETE", f"/tus/{ids[1]}", headers=TUS)).status_code == 204
        return made

    monkeypatch.setattr(harbour.blobs, "concatenate", slow)
    answer = await join(harbour, alice, ids)
    assert (answer.status_code, answer.json()["code"]) == (410, "upload.gone")
    assert (await head(harbour, alice, ids[0])).status_code == 200
    await harbour.call(alice, "DELETE", f"/tus/{ids[0]}", headers=TUS)
    await harbour.until_no_blobs()
    assert harbour.finished == []


@pytest.mark.parametrize("is_swept", [False, True], ids=["aborted", "swept"])
async def test_a_whole_that_is_aborted_while_it_is_made_is_not_made(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch, is_swept: bool
) -> None:
    ids = await halves(harbour, alice, clip)
    concatenate = harbour.blobs.concatenate
    looked: list[httpx.Response] = []

    async def slow(key: str, sources: list[str]) -> Any:
        upload_id = key.rpartition("/")[2]
        looked.append(await head(harbour, alice, upload_id))
        await harbour.call(alice, "DELETE", f"/tus/{upload_id}", headers=TUS)
        if is_swept:
            raise BlobMissing
        return await concatenate(key, sources)

    with monkeypatch.context() as slowed:
        slowed.setattr(harbour.blobs, "concatenate", slow)
        answer = await join(harbour, alice, ids)
    assert (answer.status_code, answer.json()["code"]) == (409, "upload.closed")
    assert looked[0].status_code == 200
    assert "upload-offset" not in looked[0].headers
    await check_final(harbour, alice, await join(harbour, alice, ids), clip)


async def test_partial_uploads_expire_and_their_bytes_go(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    ids = await halves(harbour, alice, clip)
    assert "upload-expires" in (await head(harbour, alice, ids[0])).headers
    db = harbour.home.plugins["upload"]._db
    await db.write(lambda session: session.execute(update(UploadRow).values(expires_at_ms=1)) and None)
    answer = await join(harbour, alice, ids)
    assert (answer.status_code, answer.json()["code"]) == (410, "upload.gone")
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert await used(harbour, alice) == (0, 0)
    await harbour.until_no_blobs()
    assert harbour.failed == []  # no content waited for them


async def test_parts_that_the_store_lost_are_told(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    ids = await halves(harbour, alice, clip)
    db = harbour.home.plugins["upload"]._db
    upload = await db.read(lambda session: repository.find(session, ids[1]))
    await harbour.blobs.abort_multipart(upload.source_key, upload.multipart_token)
    assert (await join(harbour, alice, ids)).status_code == 410
    lost = await harbour.status(alice, {"upload_id": ids[1]})
    assert (lost["status"], lost["failure"]) == ("failed", ending.SOURCE_LOST)
