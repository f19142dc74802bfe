"""The bytes: what a player may send, and what it gets back."""

from __future__ import annotations

import asyncio
import base64
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loguru import logger

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.media import MadeResult
from streamgate.contracts.streaming import STREAMING, Transcode
from streamgate.sdk.playlists.hls import MEDIA_TYPE
from streamgate.testing.attacks import attack
from tests.plugins.streaming.others import CREATOR
from tests.plugins.streaming.theatre import Parse, Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",))
SEGMENT = "v720/1.m4s"


@pytest.fixture
async def session(film: Theatre) -> dict[str, Any]:
    found: dict[str, Any] = await film.watch("c_film")
    return found


def made(theatre: Theatre, path: str) -> bytes:
    [found] = {data for key, data in theatre.made.items() if key.endswith(f"/{path}")}
    return found


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"]
    return response.status_code, response.json()["code"]


async def test_every_file_of_every_playlist_and_manifest_is_served(
    film: Theatre, session: dict[str, Any], parse: Parse
) -> None:
    master, manifest = await film.fetch(session), await film.fetch(session, "manifest.mpd")
    [hls, dash] = parse([("hls", master.text), ("dash", manifest.text)])
    uris = {variant["uri"] for variant in hls["variants"]} | {hls["variants"][0]["audio"][0]["uri"]}
    assert uris == {"v720/playlist.m3u8", "v360/playlist.m3u8", "a128/playlist.m3u8"}
    by_hls: set[str] = set()
    for uri in uris:
        [playlist] = parse([("hls", (await film.fetch(session, uri)).text)])
        folder = uri.removesuffix("playlist.m3u8")
        by_hls |= {folder + each["uri"] for each in playlist["segments"]} | {folder + playlist["segments"][0]["map"]}
    listed = [each for track in (*dash["video"], *dash["audio"]) for each in track["segments"]]
    by_dash = {each[name].removeprefix("http://host/s/token/") for each in listed for name in ("uri", "map")}
    assert by_hls == by_dash
    assert len(by_hls) == 3 * (1 + 3)
    for path in by_hls:
        answer = await film.fetch(session, path)
        assert answer.status_code == 200
        assert answer.content == made(film, path)
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert path.endswith((".m4s", ".mp4"))


@pytest.mark.parametrize("actor", [HOLDER, CREATOR])
async def test_by_query_they_are_the_same_and_name_each_ones_own_session(film: Theatre, actor: Actor) -> None:
    await film.watch("c_film", CREATOR if actor == HOLDER else HOLDER)
    asked = {"content_id": "c_film"}
    async with film.client(actor) as http:
        master, manifest = [(await http.get(f"/api/v1/stream/{kind}", params=asked)).text for kind in ("hls", "dash")]
    session = await film.watch("c_film", actor)
    folder = session["hls_url"].removesuffix("master.m3u8")
    assert master.replace(folder, "") == (await film.fetch(session)).text
    named = f" <BaseURL>{folder}</BaseURL>\n"
    assert manifest.replace(named, "") == (await film.fetch(session, "manifest.mpd")).text
    assert master.count(folder) == master.count("/api/v1/") == 3
    assert manifest.count(named) == manifest.count("/api/v1/") == 1


async def test_media_types_and_what_may_be_kept(film: Theatre, session: dict[str, Any]) -> None:
    expected = {
        "master.m3u8": (MEDIA_TYPE, "private, no-store"),
        "manifest.mpd": ("application/dash+xml", "private, no-store"),
        "v720/playlist.m3u8": (MEDIA_TYPE, "private, no-store"),
        "v720/init.mp4": ("video/mp4", "private, no-cache"),
        "v720/0.m4s": ("video/mp4", "private, no-cache"),
        "a128/0.m4s": ("audio/mp4", "private, no-cache"),
    }
    for path, wanted in expected.items():
        headers = (await film.fetch(session, path)).headers
        assert (headers["content-type"], headers["cache-control"]) == wanted
        assert headers["access-control-allow-origin"] == "*"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers


async def test_head_is_get_without_the_body(film: Theatre, session: dict[str, Any]) -> None:
    for path in ("master.m3u8", "manifest.mpd", SEGMENT):
        for headers in ({}, {"range": "bytes=5-9"}):
            get, head = [await film.fetch(session, path, method=method, headers=headers) for method in ("GET", "HEAD")]
            assert head.content == b""
            different = {"x-request-id"}
            assert (head.status_code, {k: v for k, v in head.headers.items() if k not in different}) == (
                get.status_code,
                {k: v for k, v in get.headers.items() if k not in different},
            )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_any_range_is_that_slice(film: Theatre, session: dict[str, Any], data: st.DataObject) -> None:
    whole = made(film, SEGMENT)
    first = data.draw(st.integers(0, len(whole) - 1))
    last = data.draw(st.one_of(st.none(), st.integers(first, len(whole) + 100)))
    answer = await film.fetch(session, SEGMENT, headers={"range": f"bytes={first}-{'' if last is None else last}"})
    wanted = whole[first:] if last is None else whole[first : last + 1]
    assert (answer.status_code, answer.content) == (206, wanted)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(wanted) - 1}/{len(whole)}"
    assert int(answer.headers["content-length"]) == len(wanted)


async def test_suffix_and_unsatisfiable_and_ignored_ranges(film: Theatre, session: dict[str, Any]) -> None:
    whole = made(film, SEGMENT)
    suffix = await film.fetch(session, SEGMENT, headers={"range": "bytes=-100"})
    assert (suffix.status_code, suffix.content) == (206, whole[-100:])
    for beyond in (f"bytes={len(whole)}-", "bytes=-0"):
        refused = await film.fetch(session, SEGMENT, headers={"range": beyond})
        assert code(refused) == (416, "stream.range_unsatisfiable")
        assert refused.headers["content-range"] == f"bytes */{len(whole)}"
        assert refused.headers["access-control-allow-origin"] == "*"
    for ignored in ("bytes=0-1,3-4", "items=0-1", "bytes=9-2"):
        answer = await film.fetch(session, SEGMENT, headers={"range": ignored})
        assert (answer.status_code, answer.content) == (200, whole)


async def test_conditions(film: Theatre, session: dict[str, Any]) -> None:
    etag = (await film.fetch(session, SEGMENT)).headers["etag"]
    for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await film.fetch(session, SEGMENT, headers={"if-none-match": tags})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    assert (await film.fetch(session, SEGMENT, headers={"if-none-match": '"other"'})).status_code == 200
    same = await film.fetch(session, SEGMENT, headers={"range": "bytes=0-9", "if-range": etag})
    other = await film.fetch(session, SEGMENT, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)
    assert len({(await film.fetch(session, f"v720/{n}.m4s")).headers["etag"] for n in range(3)}) == 3


async def test_a_kept_copy_is_not_confirmed_after_the_end(film: Theatre, session: dict[str, Any]) -> None:
    etag = (await film.fetch(session, SEGMENT)).headers["etag"]
    film.auth.holders.clear()
    await film.clock.advance(60)
    answer = await film.fetch(session, SEGMENT, headers={"if-none-match": etag})
    assert code(answer) == (410, "stream.session_ended")


async def test_a_players_preflight_is_answered(film: Theatre, session: dict[str, Any]) -> None:
    asked = {"origin": "https://else.where", "access-control-request-headers": "range"}
    answer = await film.fetch(session, SEGMENT, method="OPTIONS", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Range" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_nothing_can_be_written(film: Theatre, session: dict[str, Any]) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert code(await film.fetch(session, SEGMENT, method=method)) == (405, "request.method_not_allowed")


# --- what is not a file of a stream -----------------------------------------------------------------


NO_FILES = (
    "",
    "master.M3U8",
    "master.m3u8/",
    "master.m3u8%0a",
    "master.m3u8%00",
    "index.m3u8",
    "v720",
    "v720/",
    "v720/playlist.m3u8/..",
    "v720/3.m4s",
    "v720/99999999999999999999.m4s",
    "v720/01.m4s",
    "v720/-1.m4s",
    "v720/٣.m4s",
    "v720/1.mp4",
    "v999/0.m4s",
    "V720/0.m4s",
    "v720%2f0.m4s%3f",
    "%2e%2e/%2e%2e/master.key",
    "..%2f..%2fmaster.key",
    "%252e%252e%252fmaster.key",
    "v720/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "v720//0.m4s",
    "leases/x/v720/0.m4s",
    "v720/init.mp4%00.m4s",
    "v720/ｉnit.mp4",
)


async def test_paths_that_name_no_file_are_404(film: Theatre, session: dict[str, Any]) -> None:
    for path in NO_FILES:
        assert code(await film.fetch(session, path)) == (404, "stream.not_found"), path


async def test_garbage_tokens_cost_no_look_up(film: Theatre, session: dict[str, Any]) -> None:
    token = session["hls_url"].split("/")[5]
    raw = bytearray(base64.urlsafe_b64decode(token + "=="))
    raw[-1] ^= 1
    forged = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    sessions = film.home.plugins["streaming"]._sessions
    looked_up: list[str] = []
    load = sessions._load

    async def watched(session_id: str) -> Any:
        looked_up.append(session_id)
        return await load(session_id)

    sessions._load = watched
    async with film.client() as http:
        for bad in (forged, "A" * 54, "A" * 53, token[:-1], token + "A", session["session_id"], "x", token + "%3D"):
            answer = await http.get(f"/api/v1/stream/s/{bad}/master.m3u8")
            assert answer.status_code == 404, bad
            assert code(answer)[1] in ("stream.session_unknown", "stream.not_found")
    assert looked_up == []


async def test_a_credential_is_neither_needed_nor_a_way_in(film: Theatre, session: dict[str, Any]) -> None:
    async with film.client(HOLDER) as http:
        assert (await http.get(f"/api/v1/stream/s/{'A' * 54}/master.m3u8")).status_code == 404


@attack("B11")
async def test_a_session_opens_its_own_content_only(film: Theatre, session: dict[str, Any]) -> None:
    await film.play("c_other", audio=False)
    other = await film.watch("c_other")
    assert (await film.fetch(other, "a128/0.m4s")).status_code == 404
    assert (await film.fetch(session, "a128/0.m4s")).status_code == 200


async def test_a_rendition_is_listed_whole_and_not_before(theatre: Theatre) -> None:
    sound, first, second = await theatre.planned(await theatre.upload("c_film"))
    for job in (sound, first):
        await theatre.done(job, await theatre.make(job))
    rest = await theatre.make(second)
    base = MadeResult(parts=tuple(part for part in rest.parts if part.rendition_id == "v360"))
    await theatre.checkpoint(second, base)
    await theatre.hear(events.MEDIA_PLAYABLE)
    session = await theatre.watch("c_film")
    for path in ("master.m3u8", "manifest.mpd"):
        text = (await theatre.fetch(session, path)).text
        assert ("v360" in text, "v720" in text) == (True, False)
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 404  # made, but not whole
    await theatre.done(second, rest)
    await theatre.hear(events.MEDIA_READY)
    for path in ("master.m3u8", "manifest.mpd"):
        assert "v720" in (await theatre.fetch(session, path)).text
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 200


async def test_a_blob_that_is_lost_is_a_404_and_not_half_an_answer(film: Theatre, session: dict[str, Any]) -> None:
    [key] = [key for key in film.made if key.endswith(SEGMENT)]
    await film.blobs.delete(key)
    assert code(await film.fetch(session, SEGMENT)) == (404, "stream.not_found")


@attack("B45")
async def test_no_log_has_a_token(film: Theatre, session: dict[str, Any]) -> None:
    token = session["hls_url"].split("/")[5]
    said: list[str] = []
    sink = logger.add(said.append, level=0, serialize=True)
    try:
        film.auth.holders.clear()
        await film.fetch(session, SEGMENT)
        await film.fetch(session, "nothing.here")
        await film.clock.advance(60)
        await film.fetch(session, SEGMENT)
        await film.hear(events.SESSION_ENDED)
    finally:
        logger.remove(sink)
    assert any("playback sessions ended" in line for line in said)
    assert not any(token in line for line in said)


async def test_many_requests_at_once_are_each_answered_whole(film: Theatre, session: dict[str, Any]) -> None:
    paths = [f"{track}/{n}.m4s" for track in ("v720", "v360", "a128") for n in range(3)] * 10
    answers = await asyncio.gather(*(film.fetch(session, path) for path in paths))
    assert all(answer.content == made(film, path) for path, answer in zip(paths, answers, strict=True))


# --- what is known of a stream ----------------------------------------------------------------------


async def test_info_tells_a_viewer_what_can_be_played_and_the_owner_how_it_is_made(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    await theatre.over(probe, status="failed", error_code="media.not_media", error_detail="no moov")

    async def info(actor: Actor) -> Any:
        async with theatre.client(actor) as http:
            return (await http.get("/api/v1/stream/info", params={"content_id": "c_film"})).json()

    seen = await info(HOLDER)
    assert (seen["state"], seen["playable"]) == ("failed", False)
    assert (seen["task_id"], seen["error_code"], seen["error_detail"]) == (None, None, None)
    owner = await info(Actor(kind="user", user_id="creator", roles=("creator",)))
    assert (owner["task_id"], owner["error_code"], owner["error_detail"]) == (
        probe.job_id,
        "media.not_media",
        "no moov",
    )
    theatre.metadata.private.add("c_film")
    async with theatre.client(HOLDER) as http:
        assert (await http.get("/api/v1/stream/info", params={"content_id": "c_film"})).status_code == 404


async def test_info_describes_what_plays_beside_a_later_attempt_that_failed(theatre: Theatre) -> None:
    creator = Actor(kind="user", user_id="creator", roles=("creator",))

    async def info(actor: Actor) -> Any:
        async with theatre.client(actor) as http:
            return (await http.get("/api/v1/stream/info", params={"content_id": "c_film"})).json()

    await theatre.play("c_film")
    before = await info(HOLDER)
    await theatre.home.services.get(STREAMING).transcode(Transcode(content_id="c_film", actor=creator))
    probe = (await theatre.ordered(5))[4]
    await theatre.over(probe, status="failed", error_code="media.not_media", error_detail="no moov")
    assert await info(HOLDER) == before
    owner = await info(creator)
    assert (owner["media_version"], owner["state"]) == (1, "ready")
    assert (owner["task_id"], owner["error_code"]) == (probe.job_id, "media.not_media")


async def test_what_is_being_read_when_it_changes_is_not_kept(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    await theatre.play("c_film")
    catalogue = theatre.home.plugins["streaming"]._catalogue
    has_read, may_go_on, read = asyncio.Event(), asyncio.Event(), catalogue._db.read

    async def slow(*asked: Any) -> Any:
        found = await read(*asked)
        has_read.set()
        await may_go_on.wait()
        return found

    monkeypatch.setattr(catalogue, "_db", SimpleNamespace(read=slow))
    before = asyncio.create_task(catalogue.listing("c_film", 1))
    await has_read.wait()
    ready = (await theatre.hear(events.RENDITION_READY))[0]
    await catalogue.on_made(SimpleNamespace(body=ready))
    after = asyncio.create_task(catalogue.listing("c_film", 1))
    may_go_on.set()
    assert await after is not await before
