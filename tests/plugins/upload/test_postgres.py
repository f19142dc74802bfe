"""The same on PostgreSQL, where several writers run at once."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

from sqlalchemy import update

from streamgate.context import Actor
from streamgate.testing.migrations import differences
from streamgate_upload.tables import UploadRow
from tests.plugins.upload.test_tus_concatenation import halves, join, make_partial
from tests.plugins.upload.test_tus_extensions import begin_deferred, check_whole, checksum, send

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import OpenHarbour


async def test_migrations_make_the_models(postgres_url: str) -> None:
    assert await differences("streamgate_upload", postgres_url) == []


async def test_chunks_side_by_side_and_twice(open_harbour: OpenHarbour, postgres_url: str, alice: Actor) -> None:
    dice = random.Random(4)
    data = dice.randbytes(64 * 1024 * 8 - 7)
    async with open_harbour(database_url=postgres_url) as harbour:
        upload = await harbour.init(alice, data)
        order = [*range(8), *range(8)]
        dice.shuffle(order)
        answers = await asyncio.gather(*(harbour.send(alice, upload, data, index) for index in order))
        assert {answer.status_code for answer in answers} == {200}
        found = await harbour.status(alice, upload)
        assert (found["received_bytes"], found["missing_chunks"]) == (len(data), [])
        completed = await asyncio.gather(*(harbour.complete(alice, upload) for _ in range(3)))
        assert {answer.status_code for answer in completed} == {200}
        done = await harbour.until_status(alice, upload, "complete")
        assert done["sha256"] == hashlib.sha256(data).hexdigest()
        await harbour.until_state(alice, upload["content_id"], "processing")
        assert len(harbour.finished) == 1


async def test_abort_and_sweep(open_harbour: OpenHarbour, postgres_url: str, alice: Actor, clip: bytes) -> None:
    async with open_harbour(database_url=postgres_url) as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send(alice, upload, clip, 1)
        await harbour.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
        await harbour.until_state(alice, upload["content_id"], "failed")
        await harbour.home.plugins["upload"].sweeper.sweep()
        assert await harbour.blob_keys() == []


async def test_the_limit_holds_for_uploads_opened_at_once(
    open_harbour: OpenHarbour, postgres_url: str, alice: Actor
) -> None:
    async with open_harbour(database_url=postgres_url, max_open_uploads=2) as harbour:
        body = {"filename": "x.mp4", "size_bytes": 10}
        answers = await asyncio.gather(*(harbour.call(alice, "POST", "/init", json=body) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201, 201, *[429] * 6]


async def test_tus_in_full(open_harbour: OpenHarbour, postgres_url: str, alice: Actor, clip: bytes) -> None:
    """Lengths told late, checksums, parts put together by several at once, expiry."""
    async with open_harbour(database_url=postgres_url) as harbour:
        deferred = await begin_deferred(harbour, alice)
        assert (await send(harbour, alice, deferred, 0, clip, checksum(b"other"))).status_code == 460
        length = {"Upload-Length": str(len(clip))}
        assert (await send(harbour, alice, deferred, 0, clip, checksum(clip) | length)).status_code == 204
        await check_whole(harbour, alice, deferred, clip)
        ids = await halves(harbour, alice, clip)
        answers = await asyncio.gather(*(join(harbour, alice, ids) for _ in range(3)))
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.headers["location"] for answer in answers}) == 1
        await harbour.until_status(alice, {"upload_id": answers[0].headers["location"].rpartition("/")[2]}, "complete")
        left = await make_partial(harbour, alice, clip)
        db = harbour.home.plugins["upload"]._db
        await db.write(lambda session: session.execute(update(UploadRow).values(expires_at_ms=1)) and None)
        assert (await join(harbour, alice, [left])).status_code == 410
        await harbour.home.plugins["upload"].sweeper.sweep()
        assert [key for key in await harbour.blob_keys() if not key.startswith("sources/")] == []
        assert len(harbour.finished) == 2
