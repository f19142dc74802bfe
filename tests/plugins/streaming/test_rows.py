"""Playlists and segments by query, segments that many watch, and what ends playback from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import Revoked
from streamgate.contracts.events import AUTH_SESSION_ENDED, SESSION_ENDED, SignInEnded
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.envelope import Envelope
from streamgate.sdk.blobs import BlobMissing
from streamgate.testing.wait import eventually
from streamgate.wire import from_plain
from streamgate_streaming.hot import HotSegments
from tests.plugins.streaming.theatre import Parse, Theatre

HOLDER = Actor(kind="user", user_id="holder", roles=("viewer",), credential="a_one")
SEGMENT = "/api/v1/stream/segment"


def token_of(session: dict[str, Any]) -> str:
    return str(session["hls_url"].split("/")[-2])


@pytest.mark.parametrize("form", ["hls", "dash"])
async def test_a_playlist_by_query_opens_a_session_that_its_urls_carry(film: Theatre, parse: Parse, form: str) -> None:
    async with film.client(HOLDER) as http:
        answer = await http.get(f"/api/v1/stream/{form}", params={"content_id": "c_film", "client_id": "tv"})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "private, no-store"
        again = await http.get(f"/api/v1/stream/{form}", params={"content_id": "c_film", "client_id": "tv"})
        assert again.text == answer.text, "the same person and client have one session"
        session = await film.watch("c_film", HOLDER, "tv")
        folder = f"/api/v1/stream/s/{token_of(session)}/"
        [parsed] = parse([(form, answer.text)])
        if form == "hls":
            urls = [variant["uri"] for variant in parsed["variants"]]
            urls.append(parsed["variants"][0]["audio"][0]["uri"])
        else:
            assert f"<BaseURL>{folder}</BaseURL>" in answer.text
            urls = [each["uri"].removeprefix("http://host") for each in parsed["video"][0]["segments"]]
        assert all(url.startswith(folder) for url in urls), urls
    async with film.client() as nobody:
        assert (await nobody.get(urls[0])).status_code == 200


@pytest.mark.parametrize("form", ["hls", "dash"])
async def test_a_playlist_by_query_asks_the_gate(film: Theatre, form: str) -> None:
    async with film.client(ANONYMOUS) as nobody:
        answer = await nobody.get(f"/api/v1/stream/{form}", params={"content_id": "c_film"})
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.required")
    async with film.client(Actor(kind="user", user_id="stranger")) as stranger:
        answer = await stranger.get(f"/api/v1/stream/{form}", params={"content_id": "c_film"})
    assert (answer.status_code, answer.json()["code"]) == (403, "gate.refused")


async def test_a_segment_by_query_is_the_segment(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER)
    query = {"content_id": "c_film", "rendition": "v720", "session": token_of(session)}
    async with film.client() as http:
        for number, name in (("1", "1.m4s"), ("init", "init.mp4")):
            answer = await http.get(SEGMENT, params={**query, "number": number})
            assert answer.content == (await film.fetch(session, f"v720/{name}")).content
        part = await http.get(SEGMENT, params={**query, "number": "1"}, headers={"Range": "bytes=2-5"})
        whole = (await film.fetch(session, "v720/1.m4s")).content
        assert (part.status_code, part.content) == (206, whole[2:6])


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"content_id": "c_other"}, 404, "stream.not_found"),
        ({"rendition": "v9000"}, 404, "stream.not_found"),
        ({"number": "999"}, 404, "stream.not_found"),
        ({"session": "A" * 40}, 404, "stream.session_unknown"),
        ({"number": "-1"}, 422, "request.invalid"),
        ({"number": "01"}, 422, "request.invalid"),
        ({"rendition": "../x"}, 422, "request.invalid"),
        ({"session": None}, 422, "request.invalid"),
        ({"more": "x"}, 422, "request.invalid"),
    ],
)
async def test_a_wrong_segment_by_query_is_refused(
    film: Theatre, change: dict[str, str | None], status: int, code: str
) -> None:
    session = await film.watch("c_film", HOLDER)
    query = {"content_id": "c_film", "rendition": "v720", "number": "1", "session": token_of(session), **change}
    async with film.client() as http:
        answer = await http.get(SEGMENT, params={name: value for name, value in query.items() if value is not None})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if status == 422:
        assert [error["field"] for error in answer.json()["errors"]] == list(change)


async def test_signing_out_ends_what_was_opened_with_it_and_nothing_else(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER, "tv")
    other = Actor(kind="user", user_id="holder", roles=("viewer",), credential="a_two")
    kept = await film.watch("c_film", other, "phone")
    ended = SignInEnded(subject_id="a_one", revision=1, user_id="holder", reason="logged_out")
    await film.say(AUTH_SESSION_ENDED, ended)

    async def is_over() -> bool | None:
        answer = await film.fetch(session)
        return True if answer.status_code == 410 and answer.json()["reason"] == "signed_out" else None

    await eventually(is_over, what="the end")
    assert (await film.fetch(kept)).status_code == 200


async def test_a_session_that_another_sign_in_renews_ends_with_that_one(film: Theatre) -> None:
    session = await film.watch("c_film", HOLDER, "tv")
    async with film.client(Actor(kind="user", user_id="holder", roles=("viewer",), credential="a_two")) as http:
        assert (await http.post(f"/api/v1/stream/session/{session['session_id']}/renew")).status_code == 200
    for credential in ("a_one", "a_two"):
        assert (await film.fetch(session)).status_code == 200
        ended = SignInEnded(subject_id=credential, revision=1, user_id="holder", reason="logged_out")
        await film.say(AUTH_SESSION_ENDED, ended)
    assert [ended.reason for ended in await film.hear(SESSION_ENDED)] == ["signed_out"]
    assert (await film.fetch(session)).status_code == 410


async def test_a_sign_in_that_ends_while_a_session_is_opened_leaves_none(film: Theatre) -> None:
    """The end of the sign-in finds no session that it would end: it is not there yet."""
    film.auth.may_answer.clear()

    async def open_one() -> Any:
        async with film.client(HOLDER) as http:
            return await http.post("/api/v1/stream/session", json={"content_id": "c_film"})

    opening = asyncio.create_task(open_one())

    async def is_asked() -> bool | None:
        return True if film.auth.asked else None

    await eventually(is_asked, what="the gate is asked")
    until_ms = int(time.time() * 1000) + 600_000
    film.home.plugins["streaming"].revocations.add(Revoked(credentials=("a_one",), until_ms=until_ms))
    await film.say(AUTH_SESSION_ENDED, SignInEnded(subject_id="a_one", revision=1, user_id="holder", reason="revoked"))
    film.auth.may_answer.set()
    answer = await opening
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.token_invalid")
    assert [ended.reason for ended in await film.hear(SESSION_ENDED)] == ["signed_out"]


async def test_the_owner_hears_of_the_media_and_the_viewer_of_the_end(theatre: Theatre) -> None:
    told: list[LiveUpdate] = []

    async def hear(payload: bytes) -> None:
        told.append(from_plain(LiveUpdate, Envelope.from_bytes(payload).body))

    async def nothing() -> None:
        return None

    await theatre.home.bus.subscribe_everyone(LIVE.subject, hear, resync=nothing)
    await theatre.play("c_film")
    session = await theatre.watch("c_film", HOLDER)
    async with theatre.client(HOLDER) as http:
        await http.delete(f"/api/v1/stream/session/{session['session_id']}")

    async def all_told() -> bool | None:
        events = {update.event for update in told}
        return True if {"media.playable", "rendition.ready", "media.ready", "session.ended"} <= events else None

    await eventually(all_told, what="four kinds of update")
    [ended] = [update for update in told if update.event == "session.ended"]
    assert (ended.owner, ended.id, ended.data) == ("holder", session["session_id"], {"reason": "closed"})
    owners = {update.owner for update in told if update.kind == "media"}
    assert len(owners) == 1
    assert owners != {"holder"}


# --- segments that many watch -----------------------------------------------------------------------


class Shelf:
    """A store that counts how often it is read."""

    def __init__(self) -> None:
        self.reads = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.reads += 1
        await self.go_on.wait()
        if key == "gone":
            raise BlobMissing("gone")
        return key.encode() * 10

    def stream(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        raise AssertionError("not streamed")


async def test_what_is_asked_twice_is_read_once_and_kept() -> None:
    shelf: Any = Shelf()
    hot = HotSegments(shelf, 1_000)
    assert await hot.get("a", 10) is None, "the first viewer streams it"
    assert await hot.get("a", 10) == b"a" * 10
    assert await hot.get("a", 10) == b"a" * 10
    assert shelf.reads == 1


async def test_a_crowd_reads_once() -> None:
    shelf: Any = Shelf()
    hot = HotSegments(shelf, 1_000)
    await hot.get("a", 10)
    shelf.go_on.clear()
    crowd = [asyncio.create_task(hot.get("a", 10)) for _ in range(100)]
    await asyncio.sleep(0)
    shelf.go_on.set()
    assert set(await asyncio.gather(*crowd)) == {b"a" * 10}
    assert shelf.reads == 1


async def test_no_more_is_kept_than_there_is_room_for() -> None:
    shelf: Any = Shelf()
    hot = HotSegments(shelf, 25)
    for key in "aabbcc":
        await hot.get(key, 10)
    assert await hot.get("b", 10) == b"b" * 10
    assert shelf.reads == 3
    await hot.get("a", 10)  # was pushed out
    assert shelf.reads == 4
    assert await hot.get("large", 26) is None
    assert await hot.get("large", 26) is None


async def test_a_lost_segment_is_no_answer_and_not_kept() -> None:
    shelf: Any = Shelf()
    hot = HotSegments(shelf, 1_000)
    assert await hot.get("gone", 10) is None
    for _ in range(2):
        with pytest.raises(BlobMissing):
            await hot.get("gone", 10)
    assert shelf.reads == 2


async def test_without_room_nothing_is_kept() -> None:
    shelf: Any = Shelf()
    hot = HotSegments(shelf, 0)
    assert [await hot.get("a", 10) for _ in range(3)] == [None, None, None]
    assert shelf.reads == 0
