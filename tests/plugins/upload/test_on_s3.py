"""The same with a real S3 server as the store: chunks, forms, tus, and what is taken back."""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import aiotus
import pytest

from streamgate.context import Actor
from streamgate.testing.s3_server import S3Bucket
from tests.plugins.upload.test_tus import create, head, patch
from tests.plugins.upload.test_tus_clients import headers_of, served
from tests.plugins.upload.test_tus_concatenation import check_final, join, make_partial
from tests.plugins.upload.test_tus_extensions import begin_deferred, checksum, send

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

PART_BYTES = 5 * 1024 * 1024


@pytest.fixture
async def at_s3(open_harbour: OpenHarbour, s3_bucket: S3Bucket) -> AsyncIterator[Harbour]:
    async with open_harbour(blobs=s3_bucket.settings(prefix="media")) as harbour:
        yield harbour


@pytest.fixture(scope="module")
def film() -> bytes:
    return random.Random(5).randbytes(2 * PART_BYTES + 70_000)


async def stored(harbour: Harbour, upload_id: str) -> bytes:
    return await harbour.blobs.read(f"sources/{upload_id}")


async def open_parts(harbour: Harbour) -> list[object]:
    """Objects that were begun in the store and not ended."""
    bucket = harbour.blobs._bucket  # type: ignore[attr-defined]
    found = await bucket.client.list_multipart_uploads(Bucket=bucket.place.bucket)
    return list(found.get("Uploads", []))


async def test_chunks_are_at_least_as_large_as_s3_wants(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    upload = await at_s3.init(alice, film, sha256=hashlib.sha256(film).hexdigest())
    assert (upload["chunk_size_bytes"], upload["chunks"]) == (PART_BYTES, 3)
    sent = await asyncio.gather(*(at_s3.send(alice, upload, film, index) for index in (2, 0, 1, 0)))
    assert {answer.status_code for answer in sent} == {200}
    assert (await at_s3.complete(alice, upload)).status_code == 200
    await at_s3.until_status(alice, upload, "complete")
    assert await stored(at_s3, upload["upload_id"]) == film


async def test_a_chunk_that_was_refused_before_is_not_what_counts(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    """The wrong bytes went to the store under the same number; the acknowledged ones are meant."""
    upload = await at_s3.init(alice, film[: PART_BYTES + 10])
    wrong = {"Content-Digest": "sha-256=:" + "A" * 43 + "=:"}
    for _ in range(3):
        answer = await at_s3.send(alice, upload, bytes(PART_BYTES + 10), 1, headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (422, "upload.digest_mismatch")
    await at_s3.send_all(alice, upload, film[: PART_BYTES + 10])
    assert (await at_s3.complete(alice, upload)).status_code == 200
    assert await stored(at_s3, upload["upload_id"]) == film[: PART_BYTES + 10]


async def test_a_form_goes_through(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    answer = await at_s3.call(alice, "POST", "", files={"file": ("x.mp4", film)})
    assert (answer.status_code, answer.json()["sha256"]) == (201, hashlib.sha256(film).hexdigest())
    assert await stored(at_s3, answer.json()["upload_id"]) == film


async def test_tus_goes_on_in_the_middle_of_a_part(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    upload_id = await create(at_s3, alice, len(film))
    offset = 0
    for size in (100_000, 200_000, PART_BYTES, len(film)):
        answer = await patch(at_s3, alice, upload_id, offset, film[offset : offset + size])
        assert answer.status_code == 204, answer.text
        offset = int(answer.headers["upload-offset"])
        assert (await head(at_s3, alice, upload_id)).headers["upload-offset"] == str(offset)
    await at_s3.until_status(alice, {"upload_id": upload_id}, "complete")
    assert await stored(at_s3, upload_id) == film
    assert await at_s3.blob_keys() == [f"sources/{upload_id}"]


async def test_tus_bytes_that_do_not_match_are_no_part_of_what_is_stored(
    at_s3: Harbour, alice: Actor, film: bytes
) -> None:
    """Whole parts of them went to the store under the numbers of the right ones, and past the end of the file."""
    upload_id = await begin_deferred(at_s3, alice)
    for wrong in (film[::-1], bytes(len(film))):
        answer = await send(at_s3, alice, upload_id, 0, wrong, checksum(film))
        assert (answer.status_code, answer.json()["code"]) == (460, "upload.checksum_mismatch")
    right = film[: PART_BYTES + 9]
    length = {"Upload-Length": str(len(right))}
    assert (await send(at_s3, alice, upload_id, 0, right, checksum(right) | length)).status_code == 204
    await at_s3.until_status(alice, {"upload_id": upload_id}, "complete")
    assert await stored(at_s3, upload_id) == right


async def test_tus_parts_become_one_inside_the_store(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    cuts = [0, 1000, PART_BYTES + 70_000, len(film)]
    ids = [await make_partial(at_s3, alice, film[begins:ends]) for begins, ends in itertools.pairwise(cuts)]
    answer = await join(at_s3, alice, ids)
    await check_final(at_s3, alice, answer, film)
    assert await open_parts(at_s3) == []


async def test_aiotus_parts_become_one_inside_the_store(
    open_harbour: OpenHarbour, s3_bucket: S3Bucket, alice: Actor, film: bytes
) -> None:
    data = film[: PART_BYTES + 500_000]
    files = [io.BytesIO(data[:900_000]), io.BytesIO(data[900_000:])]
    async with served(open_harbour, blobs=s3_bucket.settings(prefix="media")) as (harbour, endpoint):
        metadata, headers = {"filename": b"f.mp4"}, headers_of(alice)
        url = await aiotus.upload_multiple(endpoint, files, metadata, headers=headers, chunksize=1_000_000)
        upload_id = str(url).rpartition("/")[2]
        await harbour.until_status(alice, {"upload_id": upload_id}, "complete")
        assert await stored(harbour, upload_id) == data


async def test_an_aborted_upload_leaves_nothing(at_s3: Harbour, alice: Actor, film: bytes) -> None:
    upload = await at_s3.init(alice, film)
    await at_s3.send(alice, upload, film, 0)
    await at_s3.call(alice, "DELETE", "", params={"upload_id": upload["upload_id"]})
    await at_s3.home.plugins["upload"].sweeper.sweep()
    assert await open_parts(at_s3) == []
    assert await at_s3.blob_keys() == []
