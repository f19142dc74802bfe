"""Posters and storyboards: nothing waits for them, nothing is believed of them unseen, and whom they are shown."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from streamgate.contracts import events
from streamgate.sdk.playlists.storyboard import render_vtt
from streamgate.settings import KernelSettings
from streamgate.testing.attacks import attack
from tests.plugins.streaming.albums import (
    BOARD,
    MOVING,
    POSTER,
    jpeg,
    made,
    ordered,
    poster,
    result_of,
    show,
    warned,
    webp,
)
from tests.plugins.streaming.others import CREATOR, HOLDER
from tests.plugins.streaming.theatre import STRANGER, Open, Theatre


async def test_they_are_asked_for_last_kept_shown_replaced_and_collected(
    open_theatre: Open, stored_in: KernelSettings | None
) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        order = await ordered(theatre)
        assert (order.kind, order.priority, order.root_id) == ("media.pictures", 9, "")
        plan = await theatre.plan_of(order)
        assert (plan.content_id, plan.media_version) == ("c_film", 1)
        before = await theatre.watch("c_film")
        assert (before["poster_url"], before["storyboard_url"]) == (None, None)
        assert (await theatre.fetch(before, "storyboard.vtt")).json()["code"] == "stream.no_picture"
        assert (await poster(theatre)).json()["code"] == "stream.no_picture"
        await show(theatre)
        [told] = theatre.told(events.PICTURES_CHANGED)
        assert (told.media_version, told.has_poster, told.has_moving_poster) == (1, True, True)
        session = await theatre.watch("c_film")
        folder = session["hls_url"].removesuffix("master.m3u8")
        assert (session["poster_url"], session["storyboard_url"]) == (folder + "poster.jpg", folder + "storyboard.vtt")
        index = await theatre.fetch(session, "storyboard.vtt")
        assert (index.headers["content-type"], index.headers["cache-control"]) == ("text/vtt", "private, no-store")
        for n in range(2):
            sheet = await theatre.fetch(session, f"storyboard/{n}.jpg")
            assert (sheet.headers["content-type"], sheet.content) == ("image/jpeg", jpeg(*BOARD.sheet_size(n), str(n)))
            assert sheet.headers["cache-control"].startswith("private")
        assert (await theatre.fetch(session, "storyboard/2.jpg")).status_code == 404
        assert (await theatre.fetch(session, "poster.jpg")).content == jpeg(1280, 720, "poster")
        await theatre.play("c_film", revision=2)
        await ordered(theatre, 2)
        await show(theatre, "again")
        assert (await poster(theatre)).content == jpeg(1280, 720, "posteragain")
        assert (await poster(theatre, path=MOVING)).content == webp(320, 180, "movingagain")
        await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="x"))
        await theatre.collected()


async def test_the_index_names_each_part_of_each_sheet_for_its_time() -> None:
    text = render_vtt(BOARD, 11.5)
    cues = re.findall(r"(\S+) --> (\S+)\nstoryboard/(\d)\.jpg#xywh=(\d+),(\d+),(\d+),(\d+)", text)
    assert [(cue[2], *map(int, cue[3:])) for cue in cues] == [
        ("0", 0, 0, 160, 90),
        ("0", 160, 0, 160, 90),
        ("0", 0, 90, 160, 90),
        ("0", 160, 90, 160, 90),
        ("1", 0, 0, 160, 90),
        ("1", 160, 0, 160, 90),
    ]
    assert [cue[1] for cue in cues] == [cue[0] for cue in cues[1:]] + ["00:00:11.500"]
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n")


@attack("B13")
async def test_a_preview_has_the_poster_and_nothing_of_the_rest(film: Theatre) -> None:
    await show(film)
    film.auth.preview_s = 5.0
    session = await film.watch("c_film", STRANGER)
    assert (session["preview_s"], session["storyboard_url"]) == (5.0, None)
    assert (await film.fetch(session, "poster.jpg")).status_code == 200
    for path in ("storyboard.vtt", "storyboard/0.jpg"):
        answer = await film.fetch(session, path)
        assert (answer.status_code, answer.json()["code"]) == (403, "gate.refused")


@attack("B13")
async def test_pictures_end_with_the_session(film: Theatre) -> None:
    await show(film)
    session = await film.watch("c_film")
    async with film.client(HOLDER) as http:
        await http.delete(f"/api/v1/stream/session/{session['session_id']}")
    for path in ("poster.jpg", "storyboard.vtt", "storyboard/0.jpg"):
        assert (await film.fetch(session, path)).status_code == 410


@attack("B13")
@pytest.mark.parametrize(("path", "kind"), [(POSTER, "image/jpeg"), (MOVING, "image/webp")])
async def test_the_poster_is_for_whoever_may_see_the_content(film: Theatre, path: str, kind: str) -> None:
    await show(film)
    async with film.client() as nobody:
        seen = await nobody.get(path)
        assert (seen.status_code, seen.headers["content-type"]) == (200, kind)
        assert (seen.headers["cache-control"], seen.headers["vary"]) == ("public, no-cache", "Authorization")
        again = await nobody.get(path, headers={"If-None-Match": f"W/{seen.headers['etag']}"})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", seen.headers["etag"])
    film.metadata.private.add("c_film")
    assert (await poster(film, path=path)).json()["code"] == "content.not_found"
    assert (await poster(film, CREATOR, path)).headers["cache-control"] == "private, no-cache"


LIES: dict[str, dict[str, Any]] = {
    "other bytes": {"sha256": "0" * 64},
    "another size": {"size_bytes": 5},
    "other sides": {"width_px": 640},
    "not there": {"key": "jobs/c_1/none/l_1/poster.jpg"},
    "no key": {"key": "../secrets"},
}


async def test_what_is_not_as_told_is_a_warning_and_nothing_else(theatre: Theatre) -> None:
    for count, lie in enumerate([*LIES, "layout", "a still", "too large", "unreadable", "a fault"], 1):
        await theatre.play(f"c_{count}", segments=1)
        job = await ordered(theatre, count)
        result = await result_of(theatre, job)
        if lie in LIES and result.poster is not None:
            result = attrs.evolve(result, poster=attrs.evolve(result.poster, **LIES[lie]))
        if lie == "a still" and result.poster is not None:
            result = attrs.evolve(result, moving=result.poster)
        if lie == "too large":
            result = attrs.evolve(result, moving=await made(theatre, job, "moving", 322, 180, marker="large"))
        if lie == "layout" and result.storyboard is not None:
            result = attrs.evolve(result, storyboard=attrs.evolve(result.storyboard, tiles=9))
        if lie == "unreadable":
            await theatre.over(job, status="done", result={"poster": 5})
        elif lie == "a fault":
            await theatre.over(job, status="dead", error_code="media.child_failed", error_detail="it died")
        else:
            await theatre.done(job, result)
        state = await warned(theatre, f"c_{count}")
        assert (state.state, state.playable) == ("ready", True)
        assert state.warnings[-1].startswith("pictures: media."), lie
    assert theatre.told(events.PICTURES_CHANGED) == []


async def test_an_event_that_comes_twice_asks_and_keeps_once(film: Theatre) -> None:
    job = await ordered(film)
    [playable] = [each for each in film.heard if each.name == events.MEDIA_PLAYABLE.name]
    await film.say(events.MEDIA_PLAYABLE, playable.body, playable.event_id)
    result = await result_of(film, job)
    first = await film.done(job, result)
    await film.done(job, result, event_id=first)
    await film.done(job, attrs.evolve(result, poster=None))  # the job is over
    await film.hear(events.PICTURES_CHANGED)
    assert len(film.picture_orders()) == len(film.told(events.PICTURES_CHANGED)) == 1
    assert (await poster(film)).status_code == 200
