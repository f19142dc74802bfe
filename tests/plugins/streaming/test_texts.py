"""Captions and chapters that creators give: read, kept whole or not at all, and shown to whoever may watch."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts import events
from streamgate.contracts.audit import AUDITED
from streamgate.sdk.timedtext.cues import MAX_GIVEN_BYTES
from streamgate.testing.attacks import attack
from streamgate.testing.wait import eventually
from streamgate_streaming.tables import TextRow
from streamgate_streaming.text_repository import MAX_TRACKS
from tests.plugins.streaming.others import CREATOR, HOLDER
from tests.plugins.streaming.theatre import STRANGER, Open, Parse, Theatre

CAPTIONS = "/api/v1/stream/captions/c_film"
CHAPTERS = "/api/v1/stream/chapters/c_film"
SRT = (
    "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:09,000\n<script>x</script>over <b>two</b>"
    " seams --> here\n\n3\n00:00:10,000 --> 00:00:30,000\nthe end\n"
)
PARTS = '{"chapters": [{"start_s": 4.5, "title": "Second"}, {"start_s": 0, "title": "First <b>"}]}'
TWICE = b'{"chapters": [{"start_s": 0, "title": "x"}, {"start_s": 0, "title": "y"}]}'


async def put(theatre: Theatre, path: str, body: str | bytes, actor: Actor = CREATOR, **headers: str) -> httpx.Response:
    kind = {"Content-Type": "application/json"} if path == CHAPTERS else {}
    async with theatre.client(actor) as http:
        return await http.put(path, content=body, headers={**kind, **headers})


async def delete(theatre: Theatre, path: str, actor: Actor = CREATOR) -> int:
    async with theatre.client(actor) as http:
        return (await http.delete(path)).status_code


async def listed(theatre: Theatre, actor: Actor = ANONYMOUS) -> dict[str, Any]:
    async with theatre.client(actor) as http:
        found: dict[str, Any] = (await http.get(CAPTIONS)).json()
        return found


async def shown(theatre: Theatre, session: dict[str, Any], path: str, *, holds: str) -> httpx.Response:
    """Waits until the replica has heard of the change."""

    async def enough() -> httpx.Response | None:
        answer = await theatre.fetch(session, path)
        return answer if answer.status_code == 200 and holds in answer.text else None

    return await eventually(enough, timeout_s=10, every_s=0.005, what=f"{holds!r} in {path}")


async def test_they_are_listed_and_shown_and_taken_back(open_theatre: Open, stored_in: Any, parse: Parse) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        session = await theatre.watch("c_film")
        assert (session["captions"], session["chapters_url"]) == ([], None)
        given = await put(theatre, f"{CAPTIONS}/PT-br?kind=captions&default=true", SRT)
        assert given.status_code == 200, given.text
        told = {"language": "pt-BR", "kind": "captions", "label": "Português (BR)", "default": True, "source": "own"}
        told = {**told, "cues": 3, "size_bytes": given.json()["size_bytes"]}
        assert given.json() == {**told, "format": "subrip", "charset": "utf-8"}
        assert (
            await put(theatre, f"{CAPTIONS}/en?label=Ada%27s %22hi%22", "WEBVTT\n\n00:01.000 --> 00:02.000\nhi")
        ).is_success
        assert (await put(theatre, CHAPTERS, PARTS)).json() == {"chapters": 2}
        all_of_it = await listed(theatre)
        assert [each["language"] for each in all_of_it["captions"]] == ["en", "pt-BR"]
        assert (all_of_it["captions"][1], all_of_it["chapters"]) == (told, 2)

        master = await shown(theatre, session, "master.m3u8", holds="pt-br.cc")
        manifest = await shown(theatre, session, "manifest.mpd", holds="pt-br.cc.vtt")
        media = await theatre.fetch(session, "captions/pt-br.cc/playlist.m3u8")
        picture = await theatre.fetch(session, "v360/playlist.m3u8")
        read, dash, pieces, segments = parse(
            [("hls", master.text), ("dash", manifest.text), ("hls", media.text), ("hls", picture.text)]
        )
        names = [(each["name"], each["language"], each["isDefault"]) for each in read["variants"][0]["subtitles"]]
        assert names == [("Ada\u2019s \u201dhi\u201d", "en", False), ("Português (BR)", "pt-BR", True)]
        assert (dash["warnings"], [each["segments"] for each in dash["subtitles"]]) == (
            [],
            [[f"http://host/s/token/captions/{name}.vtt"] for name in ("en", "pt-br.cc")],
        )
        assert pieces["targetDuration"] == segments["targetDuration"]
        assert [each["duration"] for each in pieces["segments"]] == [each["duration"] for each in segments["segments"]]

        piece = await theatre.fetch(session, "captions/pt-br.cc/1.vtt")
        assert (piece.headers["content-type"], piece.headers["cache-control"]) == ("text/vtt", "private, no-store")
        over = "00:00:03.000 --> 00:00:09.000\nxover <b>two</b> seams --&gt; here\n"
        assert piece.text == f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n{over}"
        for n in (0, 2):
            assert over in (await theatre.fetch(session, f"captions/pt-br.cc/{n}.vtt")).text
        whole = (await theatre.fetch(session, "captions/pt-br.cc.vtt")).text
        assert whole.endswith("00:00:10.000 --> 00:00:12.000\nthe end\n")
        again = await theatre.watch("c_film")
        urls = [each["url"].rpartition("captions/")[2] for each in again["captions"]]
        assert (urls, again["chapters_url"].rpartition("/")[2]) == (["en.vtt", "pt-br.cc.vtt"], "chapters.vtt")
        assert (await theatre.fetch(session, "chapters.vtt")).text == (
            "WEBVTT\n\n00:00:00.000 --> 00:00:04.500\nFirst &lt;b&gt;\n\n00:00:04.500 --> 00:00:05.500\nSecond\n"
        )
        assert [(each.media_version) for each in await theatre.hear(events.TEXTS_CHANGED, 3)] == [0, 0, 0]

        await put(theatre, f"{CAPTIONS}/en?default=true", "WEBVTT\n\n00:01.000 --> 00:02.000\nanew")
        await shown(theatre, session, "captions/en.vtt", holds="anew")
        assert [each["default"] for each in (await listed(theatre))["captions"]] == [True, False]
        assert await delete(theatre, f"{CAPTIONS}/en") == 204
        assert await delete(theatre, f"{CAPTIONS}/en") == 404
        assert [await delete(theatre, CHAPTERS), await delete(theatre, CHAPTERS)] == [204, 404]
        assert await listed(theatre) == {"captions": [{**told, "default": False}], "chapters": 0}
        gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="x")
        await theatre.say(events.CONTENT_DELETED, gone)
        assert await theatre.db.read(lambda rows: rows.query(TextRow).count()) == 0
        assert (await put(theatre, f"{CAPTIONS}/en", SRT)).status_code == 404


async def test_chapters_as_webvtt(film: Theatre) -> None:
    parts = "WEBVTT\n\n00:05.000 --> 00:06.000\n<i>Two &amp; a half</i>\n\n00:00.000 --> 00:01.000\nOne\n"
    assert (await put(film, f"{CHAPTERS}.vtt", parts)).json() == {"chapters": 2}
    session = await film.watch("c_film")
    assert (await film.fetch(session, "chapters.vtt")).text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nOne\n\n00:00:05.000 --> 00:00:06.000\nTwo &amp; a half\n"
    )


async def test_a_part_has_times_of_its_own(film: Theatre) -> None:
    """As the Periods of an encrypted film want it."""
    await put(film, f"{CAPTIONS}/en", SRT)
    session = await film.watch("c_film")
    part = await film.fetch(session, "captions/en/1-3.vtt")
    assert part.text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nxover <b>two</b> seams --&gt; here\n\n"
        "00:00:06.000 --> 00:00:08.000\nthe end\n"
    )
    assert (await film.fetch(session, "captions/en/0-3.vtt")).text == (
        await film.fetch(session, "captions/en.vtt")
    ).text
    for name in ("0-4", "2-1", "1-1", "3-4", "0-0"):
        assert (await film.fetch(session, f"captions/en/{name}.vtt")).status_code == 404, name
    film.auth.preview_s = 5.0
    beginning = await film.watch("c_film", STRANGER)
    assert (await film.fetch(beginning, "captions/en/0-3.vtt")).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        (f"{CAPTIONS}/en", b"1\n00:00:01,000 -> 00:00:02,000\nx", 422, "stream.captions_invalid", "captions"),
        (f"{CAPTIONS}/en", b"", 422, "stream.captions_invalid", "captions"),
        (f"{CAPTIONS}/en", b"PK\x03\x04" + bytes(300), 422, "stream.captions_invalid", "captions"),
        (f"{CAPTIONS}/english-please", b"WEBVTT", 422, "request.invalid", "language"),
        (f"{CAPTIONS}/e%22n", b"WEBVTT", 422, "request.invalid", "language"),
        (f"{CAPTIONS}/en?label=a%0A%23EXT", b"WEBVTT", 422, "request.invalid", "label"),
        (f"{CAPTIONS}/en?kind=forced", b"WEBVTT", 422, "request.invalid", "kind"),
        (f"{CAPTIONS}/en", b"WEBVTT\n\n" + bytes(MAX_GIVEN_BYTES), 413, "request.too_large", ""),
        (CHAPTERS, b'{"chapters": [{"start_s": -1, "title": "x"}]}', 422, "request.invalid", "chapters[0].start_s"),
        (
            CHAPTERS,
            b'{"chapters": [{"start_s": 0, "title": "a\\u202eb"}]}',
            422,
            "request.invalid",
            "chapters[0].title",
        ),
        (CHAPTERS, b'{"chapters": []}', 422, "request.invalid", "chapters"),
        (CHAPTERS, TWICE, 422, "stream.chapters_invalid", "chapters"),
        (f"{CHAPTERS}.vtt", b"WEBVTT\n\n00:00 --> 1", 422, "stream.chapters_invalid", "chapters"),
    ],
)
@attack("B33", "B35")
async def test_what_cannot_be_read_is_refused_and_not_kept(
    film: Theatre, path: str, body: bytes, status: int, code: str, field: str
) -> None:
    answer = await put(film, path, body)
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    assert not field or [each["field"] for each in said["errors"]] == [field]
    assert await listed(film) == {"captions": [], "chapters": 0}
    assert film.told(events.TEXTS_CHANGED) == []


async def test_a_broken_file_leaves_the_one_before(film: Theatre) -> None:
    assert (await put(film, f"{CAPTIONS}/en", SRT)).is_success
    broken = await put(film, f"{CAPTIONS}/en", SRT + "\nthis is no time\n")
    assert (broken.status_code, broken.json()["line"]) == (422, 13)
    session = await film.watch("c_film")
    assert "the end" in (await film.fetch(session, "captions/en.vtt")).text


async def test_there_are_so_many_and_no_more(film: Theatre) -> None:
    for number in range(MAX_TRACKS):
        assert (await put(film, f"{CAPTIONS}/en-track{number:02}", SRT)).is_success
    refused = await put(film, f"{CAPTIONS}/de", SRT)
    assert (refused.status_code, refused.json()["code"]) == (409, "stream.too_many_captions")
    assert (await put(film, f"{CAPTIONS}/en-track00", SRT)).is_success
    assert (await put(film, CHAPTERS, PARTS)).is_success


async def test_only_the_owner_may(film: Theatre) -> None:
    for actor, status in ((ANONYMOUS, 401), (STRANGER, 404)):
        for path in (f"{CAPTIONS}/en", CHAPTERS):
            assert (await put(film, path, SRT, actor)).status_code == status
            assert await delete(film, path, actor) == status
    assert await listed(film) == {"captions": [], "chapters": 0}


async def test_the_trail_has_what_was_done(film: Theatre) -> None:
    await put(film, f"{CAPTIONS}/en?kind=captions", SRT)
    await put(film, f"{CAPTIONS}/de", "no captions")
    await delete(film, f"{CAPTIONS}/en?kind=captions")

    async def told() -> list[Any] | None:
        acts = [each for each in film.told(AUDITED) if each.act.startswith("stream.texts")]
        return acts if len(acts) == 2 else None

    given, gone = await eventually(told, timeout_s=10, every_s=0.005, what="the trail")
    assert (given.act, given.subject_id, given.who) == ("stream.texts_given", "content:c_film", CREATOR.user_id)
    assert (gone.act, gone.detail) == ("stream.texts_taken_back", {"texts": "en.cc"})


@attack("B13")
async def test_they_obey_the_gate_as_the_film_does(film: Theatre) -> None:
    await put(film, f"{CAPTIONS}/en", SRT)
    await put(film, CHAPTERS, PARTS)
    session = await film.watch("c_film")
    paths = ["captions/en.vtt", "captions/en/playlist.m3u8", "captions/en/0.vtt", "chapters.vtt"]
    for path in paths:
        assert (await film.fetch(session, path)).status_code == 200
        stranger = {"hls_url": session["hls_url"][:-30] + "A" * 18 + "/master.m3u8"}
        assert (await film.fetch(stranger, path)).status_code == 404
    for path in ("captions/de.vtt", "captions/en/3.vtt", "captions/EN.vtt", "captions/en/00.vtt", "captions/..vtt"):
        assert (await film.fetch(session, path)).status_code == 404, path
    async with film.client(HOLDER) as http:
        assert (await http.delete(f"/api/v1/stream/session/{session['session_id']}")).status_code == 204
    for path in paths:
        assert (await film.fetch(session, path)).status_code == 410


@attack("B13")
async def test_a_preview_has_the_words_of_its_beginning(film: Theatre) -> None:
    await put(film, f"{CAPTIONS}/en", SRT)
    await put(film, CHAPTERS, PARTS)
    film.auth.preview_s = 5.0
    session = await film.watch("c_film", STRANGER)
    playlist = (await film.fetch(session, "captions/en/playlist.m3u8")).text
    assert [line for line in playlist.splitlines() if line.endswith(".vtt")] == ["0.vtt"]
    whole = (await film.fetch(session, "captions/en.vtt")).text
    assert "00:00:03.000 --> 00:00:04.000" in whole
    assert "the end" not in whole
    assert "Second" not in (await film.fetch(session, "chapters.vtt")).text
    beyond = await film.fetch(session, "captions/en/1.vtt")
    assert (beyond.status_code, beyond.json()["code"]) == (403, "gate.refused")
    assert (await film.fetch(session, "captions/en/3.vtt")).status_code == 404
