"""Bytes that others send: which answers name them, and to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.sdk.blobs.base import StoreFault
from streamgate.settings import KernelSettings
from streamgate.testing.s3_server import S3Bucket
from tests.plugins.streaming.theatre import Open, Theatre

SEGMENT, INIT = "v720/1.m4s", "v720/init.mp4"
STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))


@pytest.fixture
def in_s3(tmp_path: Path, s3_bucket: S3Bucket) -> KernelSettings:
    return KernelSettings(profile="test", data_dir=tmp_path, blobs=s3_bucket.settings(prefix="media"))


def made(theatre: Theatre, path: str) -> bytes:
    [found] = {data for key, data in theatre.made.items() if key.endswith(f"/{path}")}
    return found


async def may(theatre: Theatre, asked: str | None, method: str = "GET") -> httpx.Response:
    """What nginx is told about a file."""
    async with theatre.client(ANONYMOUS) as http:
        headers = {} if asked is None else {"Stream-File": asked}
        return await http.request(method, "/api/v1/stream/admit", headers=headers)


def path_of(session: dict[str, Any], name: str) -> str:
    return httpx.URL(session["hls_url"].removesuffix("master.m3u8") + name).path


# --- X-Accel-Redirect -------------------------------------------------------------------------------


async def test_nginx_is_told_the_file_and_everything_else_comes_from_here(open_theatre: Open, tmp_path: Path) -> None:
    async with open_theatre(offload="accel", accel_prefix="/inside/") as theatre:
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        for path in (SEGMENT, INIT, "a128/0.m4s"):
            answer = await theatre.fetch(session, path)
            assert (answer.status_code, answer.content) == (200, b"")
            at = answer.headers["x-accel-redirect"]
            assert at.startswith("/inside/")
            assert (tmp_path / "blobs" / at.removeprefix("/inside/")).read_bytes() == made(theatre, path)
            assert answer.headers["content-type"] == ("audio/mp4" if path.startswith("a") else "video/mp4")
            assert answer.headers["cache-control"] == "private, no-cache"
            known = await theatre.fetch(session, path, headers={"If-None-Match": answer.headers["etag"]})
            assert (known.status_code, "x-accel-redirect" in known.headers) == (304, False)
        head = await theatre.fetch(session, SEGMENT, method="HEAD")
        assert int(head.headers["content-length"]) == len(made(theatre, SEGMENT))
        assert "#EXTM3U" in (await theatre.fetch(session)).text
        late = await theatre.fetch(session, SEGMENT, headers={"Range": "bytes=9999999-"})
        assert late.status_code == 416


async def test_the_gate_is_asked_before_a_file_is_named(open_theatre: Open) -> None:
    async with open_theatre(offload="accel") as theatre:
        await theatre.play("c_film")
        theatre.auth.max_height_px = 480
        session = await theatre.watch("c_film")
        refused = await theatre.fetch(session, SEGMENT)
        assert (refused.status_code, "x-accel-redirect" in refused.headers) == (403, False)
        theatre.auth.holders.clear()
        await theatre.clock.advance(90)
        over = await theatre.fetch(session, "v360/0.m4s")
        assert (over.status_code, "x-accel-redirect" in over.headers) == (410, False)


# --- S3 ---------------------------------------------------------------------------------------------


async def test_s3_sends_what_the_session_may_have(open_theatre: Open, in_s3: KernelSettings) -> None:
    async with open_theatre(in_s3, offload="redirect") as theatre:
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        answer = await theatre.fetch(session, SEGMENT)
        assert (answer.status_code, answer.headers["cache-control"]) == (302, "private, no-store")
        there = httpx.URL(answer.headers["location"])
        assert 0 < int(there.params["X-Amz-Expires"]) <= 60
        async with httpx.AsyncClient() as http:
            assert (await http.get(there)).content == made(theatre, SEGMENT)
            part = await http.get(there, headers={"Range": "bytes=5-9"})
            assert (part.status_code, part.content) == (206, made(theatre, SEGMENT)[5:10])
            assert (await http.get(there.copy_with(query=None))).status_code == 403


async def test_an_address_is_good_for_no_longer_than_the_lease(open_theatre: Open, in_s3: KernelSettings) -> None:
    async with open_theatre(in_s3, offload="redirect") as theatre:
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        theatre.auth.unknown = True
        await theatre.clock.advance(55)
        answer = await theatre.fetch(session, SEGMENT)
        assert int(httpx.URL(answer.headers["location"]).params["X-Amz-Expires"]) <= 5


async def test_a_store_that_cannot_is_said_at_the_start(open_theatre: Open, in_s3: KernelSettings) -> None:
    with pytest.raises(StoreFault, match="redirect is for blobs in S3"):
        async with open_theatre(offload="redirect"):
            pass
    with pytest.raises(StoreFault, match="accel is for blobs in files"):
        async with open_theatre(in_s3, offload="accel"):
            pass


# --- auth_request -----------------------------------------------------------------------------------


async def test_a_yes_holds_for_the_whole_session_and_for_a_second(film: Theatre) -> None:
    session = await film.watch("c_film")
    answer = await may(film, path_of(session, SEGMENT) + "?a=b")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (answer.headers["x-accel-expires"], answer.headers["cache-control"]) == ("1", "private, no-store")
    assert answer.headers["stream-media"] == "c_film/1"


async def test_where_a_part_is_open_each_file_is_asked_about(film: Theatre) -> None:
    film.auth.max_height_px = 480
    session = await film.watch("c_film")
    low, high = await may(film, path_of(session, "v360/0.m4s")), await may(film, path_of(session, SEGMENT))
    assert (low.status_code, "x-accel-expires" in low.headers) == (204, False)
    assert (high.status_code, high.json()["code"]) == (403, "gate.refused")
    gone = await may(film, path_of(session, "v360/99.m4s"))
    assert (gone.status_code, gone.json()["code"]) == (404, "stream.not_found")


async def test_who_may_not_have_the_file_is_told_what_the_file_would_tell(film: Theatre) -> None:
    session = await film.watch("c_film")
    film.auth.holders.clear()
    await film.clock.advance(90)
    for asked in (path_of(session, SEGMENT), "/api/v1/stream/s/garbage/v720/0.m4s", "/etc/passwd", ""):
        said = await may(film, asked)
        async with film.client() as http:
            itself = await http.get(asked or "/api/v1/stream/s/")
        assert said.status_code == itself.status_code >= 400
    assert (await may(film, "", "POST")).status_code == 405
    assert (await may(film, None)).status_code == 422
    assert (await may(film, None)).json()["errors"][0]["field"] == "Stream-File"
