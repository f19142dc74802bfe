"""What survives the end of the process, what is given up, and what is cleaned away."""

from __future__ import annotations

import asyncio
import hashlib
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.metadata import METADATA, ContentDelete, ContentNotFound, ContentSearch
from streamgate.testing.wait import eventually
from streamgate_upload import repository

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import OpenHarbour


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), chunks=st.integers(1, 6), stops=st.integers(1, 3))
async def test_an_upload_goes_on_where_it_was_over_restarts(
    open_harbour: OpenHarbour, alice: Actor, seed: int, chunks: int, stops: int
) -> None:
    dice = random.Random(seed)
    data = dice.randbytes(chunks * 64 * 1024 - dice.randrange(0, 64 * 1024))
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, data)
    for _ in range(stops):
        async with open_harbour() as harbour:
            missing = (await harbour.status(alice, upload))["missing_chunks"]
            for index in dice.sample(missing, dice.randint(0, len(missing))):
                assert (await harbour.send(alice, upload, data, index)).status_code == 200
    async with open_harbour() as harbour:
        missing = (await harbour.status(alice, upload))["missing_chunks"]
        dice.shuffle(missing)
        for index in missing:
            assert (await harbour.send(alice, upload, data, index)).status_code == 200
        assert (await harbour.complete(alice, upload)).status_code == 200
        done = await harbour.until_status(alice, upload, "complete")
        assert done["sha256"] == hashlib.sha256(data).hexdigest()


async def test_a_claim_left_by_a_killed_process_is_dropped_at_the_start(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        db = harbour.home.plugins["upload"]._db
        claim = lambda s: repository.claim_chunk(s, upload["upload_id"], 0, "dead", 0, 2**60) and None  # noqa: E731
        await db.write(claim)
    async with open_harbour() as harbour:
        assert (await harbour.send(alice, upload, clip, 0)).status_code == 200


async def test_verification_goes_on_after_a_restart(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send_all(alice, upload, clip)
        monkeypatch.setattr(harbour.home.plugins["upload"].verifier, "add", lambda upload_id: None)
        await harbour.complete(alice, upload)
        assert (await harbour.status(alice, upload))["status"] == "verifying"
    async with open_harbour() as harbour:
        done = await harbour.until_status(alice, upload, "complete")
        assert done["sha256"] == hashlib.sha256(clip).hexdigest()


async def test_a_source_that_is_gone_fails_its_verification(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send_all(alice, upload, clip)
        monkeypatch.setattr(harbour.home.plugins["upload"].verifier, "add", lambda upload_id: None)
        await harbour.complete(alice, upload)
        await harbour.blobs.delete(f"sources/{upload['upload_id']}")
    async with open_harbour() as harbour:
        assert (await harbour.until_status(alice, upload, "failed"))["failure"] == "upload.source_lost"
        await harbour.until_state(alice, upload["content_id"], "failed")


async def test_chunks_that_are_gone_fail_the_upload(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send_all(alice, upload, clip)
        db = harbour.home.plugins["upload"]._db
        found = await db.read(lambda session: repository.find(session, upload["upload_id"]))
        await harbour.blobs.abort_multipart(found.source_key, found.multipart_token)
        answer = await harbour.complete(alice, upload)
        assert (answer.status_code, answer.json()["code"]) == (409, "upload.closed")
        assert (await harbour.status(alice, upload))["failure"] == "upload.source_lost"


async def test_what_nobody_sends_to_expires(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(expire_after_s=1.0) as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send(alice, upload, clip, 0)
        plugin = harbour.home.plugins["upload"]

        def pass_time(session: Session) -> None:
            row = repository.get_locked(session, upload["upload_id"])
            row.expires_at_ms -= 10_000

        await plugin._db.write(pass_time)
        plugin.sweeper.wake()
        await harbour.until_status(alice, upload, "expired")
        content = await harbour.until_state(alice, upload["content_id"], "failed")
        assert content.failure == "upload.expired"
        assert (await harbour.send(alice, upload, clip, 1)).json()["code"] == "upload.closed"
        assert (await harbour.complete(alice, upload)).json()["code"] == "upload.closed"


async def test_a_chunk_keeps_its_upload_alive(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour(expire_after_s=100.0) as harbour:
        upload = await harbour.init(alice, clip)
        db = harbour.home.plugins["upload"]._db

        def pass_time(session: Session) -> int:
            row = repository.get_locked(session, upload["upload_id"])
            row.expires_at_ms -= 50_000
            return row.expires_at_ms

        before_ms = await db.write(pass_time)
        await harbour.send(alice, upload, clip, 0)
        after = await db.read(lambda session: repository.find(session, upload["upload_id"]))
        assert after.expires_at_ms >= before_ms + 50_000


async def test_aborting_removes_the_bytes_and_tells(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send(alice, upload, clip, 0)
        for _ in range(2):
            answer = await harbour.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
            assert answer.status_code == 204
        content = await harbour.until_state(alice, upload["content_id"], "failed")
        assert content.failure == "upload.aborted"
        assert [told.code for told in harbour.failed] == ["upload.aborted"]
        await harbour.until_no_blobs()


async def test_aborting_what_is_whole_is_refused(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.send_all(alice, upload, clip)
        await harbour.complete(alice, upload)
        answer = await harbour.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
        assert (answer.status_code, answer.json()["code"]) == (409, "upload.closed")


async def test_one_of_two_uploads_into_a_content_may_be_aborted(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with open_harbour() as harbour:
        first = await harbour.init(alice, clip)
        second = await harbour.init(alice, clip, content_id=first["content_id"])
        await harbour.call(alice, "DELETE", "", params={"upload_id": first["upload_id"]})
        await harbour.send_all(alice, second, clip)
        await harbour.complete(alice, second)
        await harbour.until_state(alice, second["content_id"], "processing")
        assert harbour.failed == []


async def test_deleting_the_content_ends_its_uploads_and_removes_its_sources(
    open_harbour: OpenHarbour, alice: Actor, clip: bytes
) -> None:
    async with open_harbour() as harbour:
        whole = await harbour.init(alice, clip)
        await harbour.send_all(alice, whole, clip)
        await harbour.complete(alice, whole)
        await harbour.until_status(alice, whole, "complete")
        open_one = await harbour.init(alice, clip, content_id=whole["content_id"])
        await harbour.send(alice, open_one, clip, 0)
        metadata = harbour.home.services.get(METADATA)
        await metadata.delete(ContentDelete(content_id=whole["content_id"], actor=alice))
        await harbour.until_status(alice, open_one, "aborted")
        await harbour.until_no_blobs()
        assert (await harbour.send(alice, open_one, clip, 1)).status_code == 409
        assert harbour.failed == []
        with pytest.raises(ContentNotFound):
            await harbour.content(alice, whole["content_id"])


async def test_a_failed_upload_is_forgotten_in_the_end(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
        await harbour.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
        await harbour.until_no_blobs()
        plugin = harbour.home.plugins["upload"]

        def pass_time(session: Session) -> None:
            row = repository.get_locked(session, upload["upload_id"])
            row.updated_at_ms, row.to_sweep = 0, False

        await plugin._db.write(pass_time)
        await plugin.sweeper.sweep()
        answer = await harbour.call(alice, "GET", "/status", params={"upload_id": upload["upload_id"]})
        assert answer.status_code == 404


async def test_a_full_disk_is_507_and_leaves_nothing(open_harbour: OpenHarbour, alice: Actor, clip: bytes) -> None:
    async with open_harbour() as harbour:
        upload = await harbour.init(alice, clip)
    async with open_harbour(reserve_bytes=2**60) as harbour:
        answers = [
            await harbour.call(alice, "POST", "/init", json={"filename": "x", "size_bytes": 5}),
            await harbour.send(alice, upload, clip, 0),
            await harbour.call(alice, "POST", "", files={"file": ("x.mp4", clip)}),
        ]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(507, "upload.storage_full")}
        mine = ContentSearch(actor=alice, state="uploading")

        async def only_the_first() -> bool | None:
            found = await harbour.home.services.get(METADATA).search(mine)
            return [content.content_id for content in found.items] == [upload["content_id"]] or None

        await eventually(only_the_first, every_s=0.01, what="the refused uploads' contents to be settled")
    async with open_harbour() as harbour:
        await harbour.send_all(alice, upload, clip)
        assert (await harbour.complete(alice, upload)).status_code == 200


async def test_a_content_made_for_an_upload_that_was_not_opened_goes_again(
    open_harbour: OpenHarbour, alice: Actor
) -> None:
    async with open_harbour(max_open_uploads=1) as harbour:
        body = {"filename": "x.mp4", "size_bytes": 10}
        await asyncio.gather(*(harbour.call(alice, "POST", "/init", json=body) for _ in range(5)))
        found = await harbour.home.services.get(METADATA).search(ContentSearch(actor=alice))
        assert len(found.items) == 1
