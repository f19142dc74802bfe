"""tus: lengths told late, checksums, expiry, termination, and methods in disguise."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import update
from starlette.requests import ClientDisconnect

from streamgate.context import Actor
from streamgate.sdk.edge.cors import EXPOSED, REQUEST_HEADERS
from streamgate_upload import tus_words
from streamgate_upload.tables import UploadRow
from tests.plugins.upload.test_tus import BYTES, TUS, create, head, patch, told

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour


def checksum(data: bytes, algorithm: str = "sha1") -> dict[str, str]:
    return {"Upload-Checksum": f"{algorithm} {base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"}


async def begin(
    harbour: Harbour, actor: Actor, content: Any = None, headers: dict[str, str] | None = None, **more: str
) -> httpx.Response:
    named = {name.replace("_", "-"): text for name, text in more.items()}
    sent = {**(TUS if content is None else BYTES), **(headers or {}), **named}
    return await harbour.call(actor, "POST", "/tus", headers=sent, content=content)


async def send(
    harbour: Harbour, actor: Actor, upload_id: str, offset: int, content: Any, headers: dict[str, str]
) -> httpx.Response:
    sent = {**BYTES, "Upload-Offset": str(offset), **headers}
    return await harbour.call(actor, "PATCH", f"/tus/{upload_id}", headers=sent, content=content)


async def begin_deferred(harbour: Harbour, actor: Actor) -> str:
    answer = await begin(harbour, actor, Upload_Defer_Length="1", Upload_Metadata=told(filename="x.mp4"))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"].rpartition("/")[2]


async def check_whole(harbour: Harbour, actor: Actor, upload_id: str, data: bytes) -> None:
    found = await harbour.until_status(actor, {"upload_id": upload_id}, "complete")
    assert (found["sha256"], found["size_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert await harbour.blobs.read(f"sources/{upload_id}") == data
    assert await harbour.blob_keys() == [f"sources/{upload_id}"]


async def test_options_are_as_the_protocol_has_them(harbour: Harbour, alice: Actor) -> None:
    answer = await harbour.call(alice, "OPTIONS", "/tus", headers={"Tus-Resumable": "9.9.9"})
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-extension"] == ",".join(tus_words.EXTENSIONS)
    assert {"sha1", "sha256"} <= set(answer.headers["tus-checksum-algorithm"].split(","))
    assert int(answer.headers["tus-max-size"]) > 0
    assert not answer.content


def test_pages_of_others_may_send_and_read_all_headers() -> None:
    ours = ["Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Concat", "Tus-Resumable"]
    asked = ["Upload-Defer-Length", "Upload-Checksum", "X-HTTP-Method-Override", "X-Request-ID"]
    said = ["Location", "Upload-Expires", "Tus-Version", "Tus-Extension", "Tus-Max-Size", "Tus-Checksum-Algorithm"]
    assert {*ours, *asked} <= set(REQUEST_HEADERS.split(", "))
    assert {*ours, *said} <= set(EXPOSED.split(", "))


async def test_the_address_of_an_upload_is_whole_where_the_public_one_was_asked(
    open_harbour: OpenHarbour, alice: Actor
) -> None:
    async with open_harbour(public_url="https://films.example") as harbour:
        for headers, origin in (
            ({"Host": "films.example"}, "https://films.example"),
            ({"Host": "10.0.0.1:9091", "X-Forwarded-Host": "films.example"}, "https://films.example"),
            ({"Host": "evil.example"}, ""),
        ):
            answer = await begin(harbour, alice, headers=headers, Upload_Length="9")
            assert answer.headers["location"].startswith(f"{origin}/api/v1/upload/tus/u_")


async def test_head_tells_the_metadata_as_it_came(harbour: Harbour, alice: Actor) -> None:
    metadata = told(filename="x.mp4", mood="glad") + ",is_draft"
    answer = await begin(harbour, alice, Upload_Length="9", Upload_Metadata=metadata)
    found = await head(harbour, alice, answer.headers["location"].rpartition("/")[2])
    assert found.headers["upload-metadata"] == metadata
    assert "upload-defer-length" not in found.headers


# --- creation-defer-length --------------------------------------------------------------------------


async def test_the_length_may_be_told_with_the_last_bytes(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await begin_deferred(harbour, alice)
    found = await head(harbour, alice, upload_id)
    assert (found.headers["upload-defer-length"], found.headers["upload-offset"]) == ("1", "0")
    assert "upload-length" not in found.headers
    assert (await patch(harbour, alice, upload_id, 0, clip[:70_000])).status_code == 204
    answer = await send(harbour, alice, upload_id, 70_000, clip[70_000:], {"Upload-Length": str(len(clip))})
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(len(clip)))
    await check_whole(harbour, alice, upload_id, clip)


async def test_the_length_may_be_told_after_the_last_byte(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    """`70_000`: a piece is left over, which becomes the last chunk."""
    for size in (70_000, 65_536):
        upload_id = await begin_deferred(harbour, alice)
        assert (await patch(harbour, alice, upload_id, 0, clip[:size])).status_code == 204
        assert (await harbour.complete(alice, {"upload_id": upload_id})).json()["code"] == "upload.closed"
        with_sum = {"Upload-Length": str(size), **checksum(b"")}
        assert (await send(harbour, alice, upload_id, size, b"", with_sum)).status_code == 204
        await check_whole(harbour, alice, upload_id, clip[:size])
        await harbour.blobs.delete(f"sources/{upload_id}")


async def test_a_length_that_was_told_stays(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await begin_deferred(harbour, alice)
    await patch(harbour, alice, upload_id, 0, clip[:100])
    less = await send(harbour, alice, upload_id, 100, b"", {"Upload-Length": "99"})
    assert (less.status_code, less.json()["code"]) == (400, "request.malformed")
    assert (await send(harbour, alice, upload_id, 100, b"", {"Upload-Length": "200"})).status_code == 204
    assert (await head(harbour, alice, upload_id)).headers["upload-length"] == "200"
    assert (await send(harbour, alice, upload_id, 100, b"", {"Upload-Length": "201"})).status_code == 400
    again = await send(harbour, alice, upload_id, 100, clip[100:200], {"Upload-Length": "200"})
    assert again.status_code == 204
    await check_whole(harbour, alice, upload_id, clip[:200])


async def test_bytes_of_unknown_length_have_limits(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(max_size_bytes=100_000, quota_bytes=80_000) as harbour:
        upload_id = await begin_deferred(harbour, alice)
        answer = await patch(harbour, alice, upload_id, 0, clip[:90_000])
        assert (answer.status_code, answer.json()["code"]) == (413, "upload.quota_exceeded")
        assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "65536"  # there was room for that
        used = (await harbour.call(alice, "GET", "/quota")).json()["used_bytes"]
        assert used == 65_536
        answer = await patch(harbour, alice, upload_id, 65_536, clip)
        assert (answer.status_code, answer.json()["code"]) == (413, "upload.too_large")
        for length, code in (("90000", "upload.quota_exceeded"), ("100001", "upload.too_large")):
            answer = await send(harbour, alice, upload_id, 65_536, b"", {"Upload-Length": length})
            assert (answer.status_code, answer.json()["code"]) == (413, code)
        assert "upload-defer-length" in (await head(harbour, alice, upload_id)).headers


# --- checksum ---------------------------------------------------------------------------------------


async def test_bytes_with_their_checksum_are_taken(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    for begins, ends, algorithm in ((0, 10, "sha1"), (10, 140_000, "sha256"), (140_000, len(clip), "sha512")):
        piece = clip[begins:ends]
        answer = await send(harbour, alice, upload_id, begins, piece, checksum(piece, algorithm))
        assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(ends))
    await check_whole(harbour, alice, upload_id, clip)


@pytest.mark.parametrize("is_deferred", [False, True])
async def test_nothing_is_kept_of_bytes_that_do_not_match(
    harbour: Harbour, alice: Actor, clip: bytes, is_deferred: bool
) -> None:
    """Not even whole chunks, which went to the store before the last byte was there; nor where the file ends before
    them."""
    upload_id = await (begin_deferred(harbour, alice) if is_deferred else create(harbour, alice, len(clip)))
    assert (await patch(harbour, alice, upload_id, 0, clip[:1000])).status_code == 204
    wrong = bytes(len(clip) - 1000)
    for _ in range(2):
        answer = await send(harbour, alice, upload_id, 1000, wrong, checksum(b"other"))
        assert (answer.status_code, answer.json()["code"]) == (460, "upload.checksum_mismatch")
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "1000"
    ends = 2000 if is_deferred else len(clip)
    length = {"Upload-Length": str(ends)}
    answer = await send(harbour, alice, upload_id, 1000, clip[1000:ends], checksum(clip[1000:ends]) | length)
    assert answer.status_code == 204
    await check_whole(harbour, alice, upload_id, clip[:ends])


async def test_bytes_with_a_checksum_that_break_off_are_not_kept(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))

    async def breaking() -> AsyncIterator[bytes]:
        yield clip[:100_000]
        raise ConnectionResetError("gone")

    assert (await send(harbour, alice, upload_id, 0, breaking(), checksum(clip))).status_code == 500
    assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == "0"
    unknown = await send(harbour, alice, upload_id, 0, clip, {"Upload-Checksum": "md4 AAAA"})
    assert (unknown.status_code, unknown.json()["code"]) == (400, "request.malformed")
    assert (await send(harbour, alice, upload_id, 0, clip, checksum(clip))).status_code == 204
    await check_whole(harbour, alice, upload_id, clip)


async def test_a_creation_whose_bytes_do_not_match_leaves_nothing(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    answer = await begin(harbour, alice, clip, checksum(b"other"), Upload_Length=str(len(clip)))
    assert (answer.status_code, answer.json()["code"]) == (460, "upload.checksum_mismatch")
    quota = (await harbour.call(alice, "GET", "/quota")).json()
    assert (quota["open_uploads"], quota["used_bytes"]) == (0, 0)
    await harbour.until_no_blobs()
    answer = await begin(harbour, alice, clip, checksum(clip), Upload_Length=str(len(clip)))
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, str(len(clip)))


async def test_a_creation_whose_sender_leaves_leaves_nothing(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    """Nobody heard its address; sent again, with the same Idempotency-Key too, it is a new one."""

    async def leaving() -> AsyncIterator[bytes]:
        yield clip[:100_000]
        raise ClientDisconnect

    with pytest.raises(AssertionError):  # no answer
        await begin(harbour, alice, leaving(), Upload_Length=str(len(clip)))
    quota = (await harbour.call(alice, "GET", "/quota")).json()
    assert (quota["open_uploads"], quota["used_bytes"]) == (0, 0)
    await harbour.until_no_blobs()


# --- expiration, termination ------------------------------------------------------------------------


async def test_what_has_expired_is_gone_before_anybody_looked(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    answer = await patch(harbour, alice, upload_id, 0, clip[:70_000])
    before, until = (await head(harbour, alice, upload_id)).headers["upload-expires"], answer.headers["upload-expires"]
    assert parsedate_to_datetime(before) == parsedate_to_datetime(until)
    db = harbour.home.plugins["upload"]._db
    await db.write(lambda session: session.execute(update(UploadRow).values(expires_at_ms=1)) and None)
    for refused in (
        await head(harbour, alice, upload_id),
        await patch(harbour, alice, upload_id, 70_000, clip[70_000:]),
        await harbour.call(alice, "DELETE", f"/tus/{upload_id}", headers=TUS),
    ):
        assert refused.status_code == 410
        assert "upload-offset" not in refused.headers
    await harbour.home.plugins["upload"].sweeper.sweep()
    assert (await harbour.status(alice, {"upload_id": upload_id}))["status"] == "expired"
    await harbour.until_no_blobs()


async def test_what_was_terminated_is_gone(harbour: Harbour, alice: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    answers = [await harbour.call(alice, "DELETE", f"/tus/{upload_id}", headers=TUS) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 410]
    assert answers[0].headers["tus-resumable"] == "1.0.0"


async def test_an_upload_whose_server_died_before_finishing_it_is_finished_when_somebody_looks(
    harbour: Harbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await create(harbour, alice, len(clip))

    async def dies(*_: Any) -> Any:
        raise ConnectionResetError("killed")

    with monkeypatch.context() as dying:
        dying.setattr(harbour.home.plugins["upload"].appender._finisher, "complete", dies)
        assert (await patch(harbour, alice, upload_id, 0, clip)).status_code == 500
    assert (await harbour.status(alice, {"upload_id": upload_id}))["status"] == "receiving"
    assert (await head(harbour, alice, upload_id)).headers["upload-offset"] == str(len(clip))
    await check_whole(harbour, alice, upload_id, clip)


# --- X-HTTP-Method-Override -------------------------------------------------------------------------


async def test_post_may_stand_for_patch_and_delete(harbour: Harbour, alice: Actor, bob: Actor, clip: bytes) -> None:
    upload_id = await create(harbour, alice, len(clip))
    as_patch = {**BYTES, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    answer = await harbour.call(alice, "POST", f"/tus/{upload_id}", headers=as_patch, content=clip[:70_000])
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "70000")
    as_delete = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert (await harbour.call(bob, "POST", f"/tus/{upload_id}", headers=as_delete)).status_code == 404
    for other in (TUS, {**TUS, "X-HTTP-Method-Override": "PUT"}):
        refused = await harbour.call(alice, "POST", f"/tus/{upload_id}", headers=other)
        assert (refused.status_code, refused.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    as_get = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert (await harbour.call(alice, "GET", f"/tus/{upload_id}", headers=as_get)).json()["status"] == "receiving"
    assert (await harbour.call(alice, "POST", f"/tus/{upload_id}", headers=as_delete)).status_code == 204
    assert (await head(harbour, alice, upload_id)).status_code == 410
