"""tus by clients of others, over HTTP: they begin, break off, resume; the bytes are the same."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiotus
import pytest
from tusclient.client import TusClient

from streamgate.context import Actor
from streamgate.engine.server import Server, bind
from streamgate.settings import ServerSettings
from streamgate.testing.house import ACTOR_HEADER
from streamgate.wire import to_plain

if TYPE_CHECKING:
    from tests.plugins.upload.conftest import Harbour, OpenHarbour

JS_CLIENT = Path(__file__).parents[2] / "tus"
SIZE_BYTES = 700_001


@asynccontextmanager
async def served(open_harbour: OpenHarbour, **settings: Any) -> AsyncIterator[tuple[Harbour, str]]:
    """A harbour over HTTP, and the address of its tus."""
    socket = bind("127.0.0.1", 0)
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    async with open_harbour(public_url=address, **settings) as harbour:
        server = Server("http", harbour.home.app, socket, ServerSettings(drain_timeout_s=2))
        await server.start()
        try:
            yield harbour, f"{address}/api/v1/upload/tus"
        finally:
            await server.stop()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(random.Random(7).randbytes(SIZE_BYTES))
    return path


def headers_of(actor: Actor) -> dict[str, str]:
    return {ACTOR_HEADER: json.dumps(to_plain(actor))}


async def check_arrived(harbour: Harbour, actor: Actor, url: str, film: Path) -> None:
    upload_id = url.rpartition("/")[2]
    found = await harbour.until_status(actor, {"upload_id": upload_id}, "complete")
    assert await harbour.blobs.read(f"sources/{upload_id}") == film.read_bytes()
    assert (await harbour.content(actor, found["content_id"])).title == "A film"


async def test_tuspy_uploads_and_resumes(open_harbour: OpenHarbour, alice: Actor, film: Path) -> None:
    def first(endpoint: str) -> str:
        with film.open("rb") as file:
            uploader = TusClient(endpoint, headers=headers_of(alice)).uploader(
                file_stream=file, chunk_size=50_000, metadata={"filename": "film.mp4", "title": "A film"}
            )
            uploader.upload(stop_at=150_000)
            return str(uploader.url)

    def again(endpoint: str, url: str) -> int:
        with film.open("rb") as file:
            uploader = TusClient(endpoint, headers=headers_of(alice)).uploader(
                file_stream=file, chunk_size=300_000, url=url, upload_checksum=True
            )
            began = int(uploader.offset)
            uploader.upload()
            return began

    async with served(open_harbour) as (harbour, endpoint):
        url = await asyncio.to_thread(first, endpoint)
        assert await asyncio.to_thread(again, endpoint, url) == 150_000
        await check_arrived(harbour, alice, url, film)


async def run_js(endpoint: str, actor: Actor, film: Path, **wanted: Any) -> dict[str, Any]:
    asked = {"endpoint": endpoint, "headers": headers_of(actor), "file": str(film), "title": "A film", **wanted}
    node = await asyncio.create_subprocess_exec(
        "node",
        "upload.mjs",
        cwd=JS_CLIENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await node.communicate(json.dumps(asked).encode())
    assert node.returncode == 0, complained.decode()
    told: dict[str, Any] = json.loads(said)
    return told


async def test_tus_js_client_breaks_off_and_resumes(open_harbour: OpenHarbour, alice: Actor, film: Path) -> None:
    async with served(open_harbour) as (harbour, endpoint):
        told = await run_js(endpoint, alice, film, chunk_bytes=100_000, abort_after_bytes=300_000)
        assert told["resumed_at"] >= 300_000
        await check_arrived(harbour, alice, told["url"], film)


async def test_tus_js_client_sends_all_at_once(open_harbour: OpenHarbour, alice: Actor, film: Path) -> None:
    async with served(open_harbour) as (harbour, endpoint):
        told = await run_js(endpoint, alice, film, with_creation=True)
        assert told["methods"][0] == ["POST"]
        await check_arrived(harbour, alice, told["url"], film)


async def test_tus_js_client_sends_in_parallel_and_resumes_that(
    open_harbour: OpenHarbour, alice: Actor, film: Path
) -> None:
    async with served(open_harbour) as (harbour, endpoint):
        told = await run_js(endpoint, alice, film, parallel=3, chunk_bytes=100_000, abort_after_bytes=100_000)
        begun, resumed = told["methods"]
        assert begun.count("POST") == 3
        assert (resumed.count("HEAD"), resumed.count("POST")) == (3, 1)  # what was begun goes on, and becomes one
        await check_arrived(harbour, alice, told["url"], film)
        quota = (await harbour.call(alice, "GET", "/quota")).json()
        assert (quota["used_bytes"], quota["open_uploads"]) == (SIZE_BYTES, 0)


async def test_tus_js_client_sends_post_for_patch_and_a_length_told_late(
    open_harbour: OpenHarbour, alice: Actor, film: Path
) -> None:
    async with served(open_harbour) as (harbour, endpoint):
        told = await run_js(endpoint, alice, film, override=True, deferred=True, chunk_bytes=200_000)
        assert told["methods"][0] == ["POST", *["POST for PATCH"] * 4]
        await check_arrived(harbour, alice, told["url"], film)


async def test_aiotus_uploads_and_reads_its_metadata(open_harbour: OpenHarbour, alice: Actor, film: Path) -> None:
    metadata = {"filename": b"film.mp4", "title": b"A film"}
    async with served(open_harbour) as (harbour, endpoint):
        with film.open("rb") as file:
            url = await aiotus.upload(endpoint, file, metadata, headers=headers_of(alice), chunksize=150_000)
        assert await aiotus.metadata(str(url), headers=headers_of(alice)) == metadata
        await check_arrived(harbour, alice, str(url), film)


async def test_aiotus_uploads_several_files_as_one(open_harbour: OpenHarbour, alice: Actor, film: Path) -> None:
    data = film.read_bytes()
    files = [io.BytesIO(data[:300_000]), io.BytesIO(data[300_000:300_001]), io.BytesIO(data[300_001:])]
    metadata = {"filename": b"film.mp4", "title": b"A film"}
    async with served(open_harbour) as (harbour, endpoint):
        url = await aiotus.upload_multiple(endpoint, files, metadata, headers=headers_of(alice), chunksize=150_000)
        await check_arrived(harbour, alice, str(url), film)
