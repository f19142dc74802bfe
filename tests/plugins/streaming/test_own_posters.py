"""Posters that creators give: made anew before anybody sees them, the newest one counts, and they can be taken back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts import events
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.pictures import MAX_GIVEN_BYTES, PicturesResult
from tests.plugins.streaming.albums import MOVING, POSTER, jpeg, made, ordered, poster, show, warned
from tests.plugins.streaming.others import CREATOR
from tests.plugins.streaming.theatre import STRANGER, Open, Theatre

PNG = b"\x89PNG\r\n\x1a\n of my own"


async def give(theatre: Theatre, data: bytes = PNG, actor: Actor = CREATOR) -> httpx.Response:
    async with theatre.client(actor) as http:
        return await http.put(POSTER, content=data, headers={"Content-Type": "image/png"})


async def take_back(theatre: Theatre, actor: Actor = CREATOR) -> int:
    async with theatre.client(actor) as http:
        return (await http.delete(POSTER)).status_code


async def make(theatre: Theatre, job: NewJob, marker: str) -> None:
    await theatre.done(job, PicturesResult(poster=await made(theatre, job, "poster", 640, 360, marker=marker)))


async def shown(theatre: Theatre) -> bytes:
    answer = await poster(theatre)
    assert answer.status_code == 200, answer.text
    return answer.content


async def etag(theatre: Theatre) -> str:
    return (await poster(theatre)).headers["etag"]


async def came(theatre: Theatre) -> list[str]:
    return [each.key async for each in theatre.blobs.list() if each.key.startswith("posters/")]


async def test_it_is_shown_once_it_was_made_anew_and_leaves_when_taken_back(open_theatre: Open, stored_in: Any) -> None:
    async with open_theatre(stored_in) as theatre:
        await theatre.play("c_film")
        await show(theatre)
        of_the_film = await shown(theatre)
        assert not (await etag(theatre)).startswith('"own-')
        assert (await give(theatre)).status_code == 202
        job = await ordered(theatre, 2)
        assert (job.kind, job.priority, job.owner) == ("media.poster", 5, CREATOR.user_id)
        assert await theatre.blobs.read(job.payload["source"]["key"]) == PNG
        assert await shown(theatre) == of_the_film
        await make(theatre, job, "own")
        own, first = await shown(theatre), await etag(theatre)
        assert own == jpeg(640, 360, "own")
        assert (await poster(theatre, path=MOVING)).status_code == 404, "it would show what was replaced"
        session = await theatre.watch("c_film")
        assert (await theatre.fetch(session, "poster.jpg")).content == own
        assert (await theatre.fetch(session, "storyboard/0.jpg")).status_code == 200
        await theatre.play("c_film", revision=2)
        assert await shown(theatre) == own
        assert [await take_back(theatre), await take_back(theatre)] == [204, 204]
        assert await shown(theatre) == of_the_film
        told = await theatre.hear(events.PICTURES_CHANGED, 3)
        assert [each.media_version for each in told] == [1, 0, 0]
        assert [each.has_poster for each in told] == [True, True, True]
        assert [each.has_moving_poster for each in told] == [True, False, True]
        assert (await give(theatre)).status_code == 202
        await make(theatre, await ordered(theatre, 4), "own")
        assert await shown(theatre) == own
        again = await etag(theatre)
        assert again.startswith('"own-')
        assert again != first, "the same picture, given again"
        await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="x"))
        await theatre.collected()


async def test_one_that_was_kept_and_never_asked_for_is_collected(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    theatre.metadata.contents.add("c_film")

    def die(*_: Any) -> None:
        raise RuntimeError("the process ended here")

    monkeypatch.setattr("streamgate_streaming.own_posters.order_poster", die)
    assert (await give(theatre)).status_code == 500
    assert len(await came(theatre)) == 1
    await theatre.collected()


async def test_of_several_the_newest_counts_however_late_the_others_are(theatre: Theatre) -> None:
    theatre.metadata.contents.add("c_film")  # nothing is uploaded yet
    for _ in range(2):
        assert (await give(theatre)).status_code == 202
    await ordered(theatre, 2)
    first, second = theatre.picture_orders()
    await make(theatre, second, "second")
    await make(theatre, first, "first")
    assert await shown(theatre) == jpeg(640, 360, "second")
    assert (await give(theatre)).status_code == 202
    third = await ordered(theatre, 3)
    assert await take_back(theatre) == 204
    await make(theatre, third, "third")
    assert (await poster(theatre)).status_code == 404
    for _ in range(3):
        await theatre.clock.advance(700)
        await theatre.collect()
    assert await came(theatre) == []


async def test_one_that_is_damaged_is_a_warning(film: Theatre) -> None:
    await show(film)
    before = await shown(film)
    await give(film)
    job = await ordered(film, 2)
    await film.over(job, status="failed", error_code="media.corrupt", error_detail="cut off")
    assert (await warned(film, "c_film")).warnings[-1] == "poster: media.corrupt: cut off"
    assert await shown(film) == before


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"", 422, "stream.poster_invalid"),
        (b"<svg onload=alert(1)>", 422, "stream.poster_invalid"),
        (b"GIF89a", 422, "stream.poster_invalid"),
        (PNG + bytes(MAX_GIVEN_BYTES), 413, "request.too_large"),
    ],
)
async def test_what_is_no_picture_is_refused_and_not_kept(film: Theatre, data: bytes, status: int, code: str) -> None:
    answer = await give(film, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert await came(film) == []


async def test_only_the_owner_may(film: Theatre) -> None:
    for actor, status in ((ANONYMOUS, 401), (STRANGER, 404)):
        assert (await give(film, actor=actor)).status_code == status
        assert await take_back(film, actor) == status
    assert await came(film) == []
