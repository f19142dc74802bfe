"""Encrypted contents: one ciphertext for everybody, and keys for those who may watch, while they may."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.testing.attacks import attack
from tests.plugins.streaming.sealed import kids_of, licence, opened, play_sealed, public, text
from tests.plugins.streaming.theatre import Parse, Theatre, bytes_of

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
STRANGER = Actor(kind="user", user_id="stranger", roles=("viewer",))
SEGMENT = "1/hls/v720/1.m4s"


@pytest.fixture
async def film(theatre: Theatre) -> Theatre:
    await play_sealed(theatre)
    return theatre


@pytest.fixture
async def session(film: Theatre) -> dict[str, Any]:
    return await film.watch("c_film")


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


# --- what a session is given ------------------------------------------------------------------------


async def test_a_player_of_hls_has_the_clear_segments_in_the_end(
    film: Theatre, session: dict[str, Any], parse: Parse
) -> None:
    for track in ("v720", "v360", "a128"):
        assert await opened(film, session, track) == [bytes_of(track, n) for n in range(3)]
    master, playlist = [(await film.fetch(session, path)).text for path in ("master.m3u8", "v720/playlist.m3u8")]
    [read] = parse([("hls", master)])
    assert [variant["uri"] for variant in read["variants"]] == ["v360/playlist.m3u8", "v720/playlist.m3u8"]
    assert playlist.index("#EXT-X-MAP") < playlist.index("#EXT-X-KEY")
    assert "BYTERANGE" not in playlist
    head = await public(film, "1/hls/v720/init.mp4")
    assert head.content == b"init of v720" * 40


async def test_the_manifest_names_keys_and_where_they_are(film: Theatre, session: dict[str, Any], parse: Parse) -> None:
    manifest = (await film.fetch(session, "manifest.mpd")).text
    token = session["hls_url"].split("/")[-2]
    urls = set(re.findall(r"Laurl[^>]*>(/[^<]+)<", manifest))
    assert urls == {f"/api/v1/stream/s/{token}/licence"}
    [read] = parse([("dash", manifest)])
    listed = {each["uri"] for track in read["video"] for each in track["segments"]}
    assert listed == {
        f"http://host/api/v1/stream/m/c_film/1/cenc/{track}/{n}.m4s" for track in ("v720", "v360") for n in range(3)
    }
    kids = await kids_of(film, session)
    assert len(kids) == 3
    answer = await licence(film, session, kids[0])
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/json",
        "private, no-store",
    )
    assert answer.json()["type"] == "temporary"
    assert {each["kid"] for each in answer.json()["keys"]} == set(kids)
    assert {each["kty"] for each in answer.json()["keys"]} == {"oct"}
    by_query = await _by_query(film)
    assert set(re.findall(r"Laurl[^>]*>(/[^<]+)<", by_query)) == urls


async def _by_query(film: Theatre) -> str:
    async with film.client(HOLDER) as http:
        return (await http.get("/api/v1/stream/dash", params={"content_id": "c_film"})).text


@attack("B28")
async def test_keys_are_for_nobody_else(film: Theatre, session: dict[str, Any]) -> None:
    answer = await film.fetch(session, "v720/0.key")
    assert (answer.status_code, len(answer.content)) == (200, 16)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers
    async with film.client(STRANGER) as http:
        assert code(await http.post("/api/v1/stream/session", json={"content_id": "c_film"})) == (403, "gate.refused")
    forged = {"hls_url": f"/api/v1/stream/s/{'A' * 54}/master.m3u8"}
    assert (await film.fetch(forged, "v720/0.key")).status_code == 404
    assert (await licence(film, forged, "A" * 22)).status_code == 404


async def test_clear_segments_are_nowhere(film: Theatre, session: dict[str, Any]) -> None:
    for path in ("v720/0.m4s", "v720/init.mp4", "a128/2.m4s"):
        assert code(await film.fetch(session, path)) == (404, "stream.not_found")
    token = session["hls_url"].split("/")[-2]
    query = {"content_id": "c_film", "rendition": "v720", "number": "1", "session": token}
    async with film.client() as http:
        assert (await http.get("/api/v1/stream/segment", params=query)).status_code == 404
    picture = await film.fetch(session, "poster.jpg")
    assert picture.status_code in (200, 404)


@attack("B28")
@pytest.mark.parametrize("how", ["closed", "refused", "unknown"])
async def test_no_keys_after_the_end(film: Theatre, session: dict[str, Any], how: str) -> None:
    kids = await kids_of(film, session)
    assert (await film.fetch(session, "v720/0.key")).status_code == 200
    if how == "closed":
        async with film.client(HOLDER) as http:
            await http.delete(f"/api/v1/stream/session/{session['session_id']}")
    else:
        film.auth.unknown = how == "unknown"
        film.auth.holders.discard("holder")
        await film.clock.advance(61)
    expected = {
        "closed": (410, "stream.session_ended"),
        "refused": (410, "stream.session_ended"),
        "unknown": (503, "gate.unknown"),
    }[how]
    assert code(await film.fetch(session, "v720/0.key")) == expected
    assert code(await licence(film, session, *kids)) == expected


async def test_what_is_no_key_and_no_licence(film: Theatre, session: dict[str, Any]) -> None:
    for path in ("v720/1.key", "v1080/0.key"):
        assert code(await film.fetch(session, path)) == (404, "stream.key_unknown")
    assert code(await licence(film, session, text(bytes(16)))) == (404, "stream.key_unknown")
    for body in (
        b"",
        b"{}",
        b"[1]",
        b'{"kids": []}',
        b'{"kids": ["short"]}',
        b'{"kids": [7]}',
        b'{"kids": ["\xc3\xa4"]}',
    ):
        refused = await film.fetch(session, "licence", method="POST", content=body)
        assert code(refused) == (422, "stream.licence_invalid"), body
    large = await film.fetch(session, "licence", method="POST", content=b" " * 20_000)
    assert code(large) == (413, "request.too_large")
    assert code(await film.fetch(session, "licence")) == (405, "request.method_not_allowed")
    assert code(await film.fetch(session, "master.m3u8", method="POST")) == (405, "request.method_not_allowed")
    preflight = await film.fetch(session, "licence", method="OPTIONS")
    assert "POST" in preflight.headers["access-control-allow-methods"]


@attack("B28")
async def test_keys_are_counted(film: Theatre, session: dict[str, Any]) -> None:
    answers = await asyncio.gather(*(film.fetch(session, "v720/0.key") for _ in range(250)))
    assert [answer.status_code for answer in answers].count(200) == 240
    assert code(answers[-1]) == (429, "stream.too_many_keys")
    assert int(answers[-1].headers["retry-after"]) >= 1
    await film.clock.advance(60)
    assert (await film.fetch(session, "v720/0.key")).status_code == 200


# --- extents ----------------------------------------------------------------------------------------


async def test_what_is_too_high_has_no_key(film: Theatre) -> None:
    whole = await film.watch("c_film")
    everything = await licence(film, whole, *(await kids_of(film, whole)))
    film.auth.max_height_px = 480
    low = await film.watch("c_film", client_id="tv")
    assert code(await film.fetch(low, "v720/0.key")) == (403, "gate.refused")
    kids = await kids_of(film, low)
    assert len(kids) == 2
    given = (await licence(film, low, *kids)).json()["keys"]
    assert {each["kid"] for each in given} == set(kids)
    [high] = {each["kid"] for each in everything.json()["keys"]} - set(kids)
    assert code(await licence(film, low, high)) == (403, "gate.refused")
    assert [each["kid"] for each in (await licence(film, low, high, kids[0])).json()["keys"]] == [
        each["kid"] for each in given
    ]
    assert await opened(film, low, "v360") == [bytes_of("v360", n) for n in range(3)]


@attack("B13")
async def test_a_preview_is_clear_and_has_no_key(film: Theatre) -> None:
    film.auth.preview_s = 8.0
    preview = await film.watch("c_film", STRANGER)
    playlist = (await film.fetch(preview, "v720/playlist.m3u8")).text
    assert "EXT-X-KEY" not in playlist
    assert "ContentProtection" not in (await film.fetch(preview, "manifest.mpd")).text
    first = await film.fetch(preview, "v720/1.m4s")
    assert (first.content, first.headers["cache-control"]) == (bytes_of("v720", 1), "private, no-store")
    assert code(await film.fetch(preview, "v720/2.m4s")) == (403, "gate.refused")
    assert code(await film.fetch(preview, "v720/0.key")) == (403, "gate.refused")
    whole = await film.watch("c_film")
    assert code(await licence(film, preview, *(await kids_of(film, whole)))) == (403, "gate.refused")


@attack("B14")
async def test_a_proxy_is_told_no_for_clear_segments(film: Theatre) -> None:
    """It may have kept them from before the film was encrypted."""

    async def may(session: dict[str, Any], name: str) -> int:
        path = session["hls_url"].removesuffix("master.m3u8") + name
        async with film.client() as http:
            answer = await http.get("/api/v1/stream/admit", headers={"Stream-File": path})
        assert "x-accel-expires" not in answer.headers, "that would be for all files of the session"
        return answer.status_code

    whole = await film.watch("c_film")
    names = ("v720/0.m4s", "v720/init.mp4", "v720/0.key", "licence", "v720/playlist.m3u8")
    assert [await may(whole, name) for name in names] == [404, 404, 404, 404, 204]
    film.auth.preview_s = 8.0
    preview = await film.watch("c_film", STRANGER)
    assert [await may(preview, name) for name in ("v720/0.m4s", "v720/2.m4s", "v720/0.key")] == [204, 403, 404]


# --- what anybody gets ------------------------------------------------------------------------------


async def test_anybody_gets_the_same_ciphertext_and_may_keep_it(film: Theatre, session: dict[str, Any]) -> None:
    whole = await public(film, SEGMENT)
    assert whole.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert whole.headers["access-control-allow-origin"] == "*"
    assert (whole.headers["content-type"], whole.headers["accept-ranges"]) == ("video/mp4", "bytes")
    assert "set-cookie" not in whole.headers
    assert bytes_of("v720", 1)[:64] not in whole.content
    assert all([(await public(film, SEGMENT)).content == whole.content for _ in range(3)])
    part = await public(film, SEGMENT, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole.content[100:200])
    assert (await public(film, SEGMENT, headers={"if-none-match": whole.headers["etag"]})).status_code == 304
    assert code(await public(film, SEGMENT, headers={"range": "bytes=99999999-"}))[0] == 416
    head = await public(film, SEGMENT, method="HEAD")
    assert (head.headers["content-length"], head.content) == (str(len(whole.content)), b"")
    assert (await public(film, SEGMENT, method="OPTIONS")).status_code == 204
    assert (await public(film, SEGMENT, method="PUT")).status_code == 405


@attack("B47")
async def test_nothing_is_told_of_what_is_not_here(theatre: Theatre) -> None:
    await theatre.play("c_clear")
    await theatre.watch("c_clear")
    paths = [
        "/api/v1/stream/m/c_clear/1/hls/v720/0.m4s",
        "/api/v1/stream/m/c_other/1/hls/v720/0.m4s",
        "/api/v1/stream/m/c_other/1/hls/../../../s/x/0.m4s",
        "/api/v1/stream/m/c_clear/1/clear/v720/0.m4s",
    ]
    async with theatre.client() as http:
        answers = [await http.get(path) for path in paths]
    told = [{**answer.json(), "request_id": ""} for answer in answers[:2]]
    assert told[0] == told[1]
    assert {answer.status_code for answer in answers} == {404}


@pytest.mark.parametrize(
    "path",
    [
        "2/hls/v720/0.m4s",
        "1/hls/v720/3.m4s",
        "1/hls/v1080/0.m4s",
        "1/hls/v720/init-0.mp4",
        "1/cenc/v720/init.mp4",
        "1/cenc/v720/init-1.mp4",
        "1/hls/v720/0.key",
    ],
)
async def test_addresses_of_nothing(film: Theatre, session: dict[str, Any], path: str) -> None:
    assert code(await public(film, path)) == (404, "stream.not_found")


async def test_a_deleted_film_is_not_given_to_anybody(film: Theatre, session: dict[str, Any]) -> None:
    assert (await public(film, SEGMENT)).status_code == 200
    await film.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="creator"))
    assert code(await public(film, SEGMENT)) == (404, "stream.not_found")
    await film.collected()
