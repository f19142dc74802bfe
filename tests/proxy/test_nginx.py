"""nginx in front: what it sends by itself, and that it sends nothing that StreamGate would not."""

from __future__ import annotations

import asyncio
from typing import Any

from streamgate.context import Actor
from streamgate.testing.wait import eventually
from tests.plugins.streaming.sealed import play_sealed, protect, public
from tests.plugins.streaming.theatre import Theatre
from tests.proxy.conftest import OpenSite

STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
SEGMENT, INIT = "v720/1.m4s", "v720/init.mp4"
SHARED = ("access-control-allow-origin", "cross-origin-resource-policy", "x-content-type-options", "referrer-policy")


def made(theatre: Theatre, path: str) -> bytes:
    [found] = {data for key, data in theatre.made.items() if key.endswith(f"/{path}")}
    return found


# --- files: X-Accel-Redirect ------------------------------------------------------------------------


async def test_nginx_sends_the_files_as_the_server_would(open_site: OpenSite) -> None:
    async with open_site("accel.conf", offload="accel") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        assert "#EXTM3U" in (await behind.fetch(session, "master.m3u8")).text
        for path in (SEGMENT, INIT, "a128/0.m4s"):
            whole = made(theatre, path)
            named = await theatre.fetch(session, path)  # without nginx
            answer = await behind.fetch(session, path)
            assert (answer.status_code, answer.content) == (200, whole)
            for name in ("content-type", "cache-control", "etag", *SHARED):
                assert answer.headers[name] == named.headers[name], name
            assert answer.headers["x-request-id"]
            assert "x-accel-redirect" not in answer.headers
            etag = answer.headers["etag"]
            part = await behind.fetch(session, path, headers={"Range": "bytes=10-19", "If-Range": etag})
            assert (part.status_code, part.content) == (206, whole[10:20])
            assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
            other = await behind.fetch(session, path, headers={"Range": "bytes=10-19", "If-Range": '"other"'})
            assert (other.status_code, other.content) == (200, whole)
            known = await behind.fetch(session, path, headers={"If-None-Match": etag})
            assert (known.status_code, known.content) == (304, b"")
            head = await behind.fetch(session, path, method="HEAD")
            assert int(head.headers["content-length"]) == len(whole)


async def test_a_file_of_the_store_cannot_be_asked_for(open_site: OpenSite) -> None:
    async with open_site("accel.conf", offload="accel") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        at = (await theatre.fetch(session, SEGMENT)).headers["x-accel-redirect"]
        for hidden in (at, at.replace("/blobs/", "/blobs/../blobs/"), at.replace("_streamgate", "%5Fstreamgate")):
            answer = await behind.fetch({"hls_url": ""}, hidden, headers={"X-Accel-Redirect": at})
            assert answer.status_code == 404
        await end(theatre)
        assert (await behind.fetch(session, SEGMENT)).status_code == 410


async def end(theatre: Theatre) -> None:
    theatre.auth.holders.clear()
    await theatre.clock.advance(90)


# --- any store: auth_request, and a cache that all viewers share ---------------------------------------


async def test_each_segment_comes_once_from_the_server_however_many_watch(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        theatre.auth.holders |= {"one", "two"}
        await theatre.play("c_film")
        sessions = [await theatre.watch("c_film", client_id=each) for each in ("one", "two")]
        for path in (SEGMENT, INIT, "a128/0.m4s"):
            whole = made(theatre, path)
            for session in (*sessions, *sessions):
                answer = await behind.fetch(session, path)
                assert (answer.status_code, answer.content) == (200, whole)
                assert (answer.headers["cache-control"], len(answer.headers["etag"])) == ("private, no-cache", 34)
                assert answer.headers["access-control-allow-origin"] == "*"
            part = await behind.fetch(sessions[1], path, headers={"Range": "bytes=10-19"})
            assert (part.status_code, part.content) == (206, whole[10:20])
            assert sum(each.endswith(path) for each in behind.asked) == 1
        asked = len(behind.asked)
        for _ in range(20):
            assert (await behind.fetch(sessions[0], SEGMENT)).status_code == 200
        assert len(behind.asked) - asked < 20  # a yes is good for a second


async def test_two_films_are_not_taken_for_one(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        for content_id in ("c_film", "c_second"):
            await theatre.play(content_id)
            session = await theatre.watch(content_id, client_id=content_id)
            own = [
                data for key, data in theatre.made.items() if f"/{content_id}/" in key and key.endswith("/v720/1.m4s")
            ]
            assert (await behind.fetch(session, SEGMENT)).content in own
        assert sum(each.endswith(SEGMENT) for each in behind.asked) == 2


async def test_a_session_that_ends_is_over_within_a_second_or_two(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        assert (await behind.fetch(session, SEGMENT)).status_code == 200
        await end(theatre)

        async def over() -> dict[str, Any] | None:
            answer = await behind.fetch(session, SEGMENT)
            return answer.json() if answer.status_code == 410 else None

        told = await eventually(over, timeout_s=5)
        assert told["code"] == "stream.session_ended"
        for hidden in ("/_streamgate/admit", "/api/v1/stream/s/garbage/v720/1.m4s"):
            assert (await behind.fetch({"hls_url": ""}, hidden)).status_code == 404


async def test_what_is_open_in_part_is_asked_about_each_time(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        whole = await theatre.watch("c_film", client_id="one")
        assert (await behind.fetch(whole, SEGMENT)).status_code == 200  # it is in the cache now
        theatre.auth.max_height_px = 480
        low = await theatre.watch("c_film", client_id="two")
        statuses = [(await behind.fetch(low, path)).status_code for path in ("v360/0.m4s", SEGMENT, "v360/1.m4s")]
        assert statuses == [200, 403, 200]
        theatre.auth.preview_s, theatre.auth.max_height_px = 9.0, None
        theatre.auth.holders.clear()
        stranger = await theatre.watch("c_film", STRANGER)
        ends = await asyncio.gather(*(behind.fetch(stranger, f"v720/{n}.m4s") for n in range(3)))
        assert [each.status_code for each in ends] == [200, 200, 403]
        assert ends[2].json()["code"] == "gate.refused"


async def test_with_the_server_away_nothing_is_sent(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        assert (await behind.fetch(session, SEGMENT)).status_code == 200
        theatre.auth.unknown = True
        await theatre.clock.advance(90)

        async def away() -> bool | None:
            return (await behind.fetch(session, SEGMENT)).status_code == 503 or None

        await eventually(away, timeout_s=5)


async def test_ciphertext_comes_once_and_is_the_same_for_everybody(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        await play_sealed(theatre)
        session = await theatre.watch("c_film")
        path = "/api/v1/stream/m/c_film/1/hls/v720/1.m4s"
        own = await public(theatre, path)
        for _ in range(3):
            answer = await behind.fetch({"hls_url": ""}, path)
            assert (answer.status_code, answer.content) == (200, own.content)
            assert (answer.headers["cache-control"], answer.headers["etag"]) == (
                own.headers["cache-control"],
                own.headers["etag"],
            )
        part = await behind.fetch({"hls_url": ""}, path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, own.content[10:20])
        assert sum(each == path for each in behind.asked) == 1
        assert (await behind.fetch(session, SEGMENT)).status_code == 404  # the clear one is nowhere


async def test_what_nginx_kept_clear_is_closed_once_the_content_is_encrypted(open_site: OpenSite) -> None:
    async with open_site("cache.conf") as behind:
        theatre = behind.theatre
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        assert (await behind.fetch(session, SEGMENT)).status_code == 200
        await protect(theatre, "encrypted", 2)

        async def over() -> bool | None:
            return (await behind.fetch(session, SEGMENT)).status_code == 410 or None

        await eventually(over, timeout_s=5)
        again = await theatre.watch("c_film")
        assert (await behind.fetch(again, SEGMENT)).status_code == 404
