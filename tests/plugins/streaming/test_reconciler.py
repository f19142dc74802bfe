"""Ends of jobs that were never heard: the queue is asked, and believed after a while."""

from __future__ import annotations

import pytest

from streamgate.contracts import events
from streamgate.contracts.jobs import JobState
from streamgate.contracts.media import ProbeResult
from streamgate.contracts.streaming import STREAMING, MediaQuery, MediaState
from streamgate.errors import Unavailable
from tests.plugins.streaming import albums
from tests.plugins.streaming.others import CREATOR
from tests.plugins.streaming.theatre import Theatre

LATE_S = 600


async def media(theatre: Theatre) -> MediaState:
    return await theatre.home.services.get(STREAMING).media(MediaQuery(content_id="c_film"))


async def turns(theatre: Theatre, count: int = 3) -> None:
    """Of the reconciler, ten minutes apart; the first one is too early for a version that is new."""
    for _ in range(count):
        theatre.clock.jump(LATE_S + 1)
        await theatre.turn("streaming.reconcile")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("failed", "media.corrupt"),
        ("dead", "media.corrupt"),
        ("cancelled", "media.cancelled"),
        ("done", "media.result_invalid"),
    ],
)
async def test_a_probe_whose_end_was_lost_ends_its_version(theatre: Theatre, status: JobState, code: str) -> None:
    theatre.jobs.queued(await theatre.upload("c_film"), probe=status)
    await turns(theatre)
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == code


async def test_an_end_that_may_be_on_its_way_is_waited_for(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    theatre.jobs.queued(probe, probe="done")
    theatre.clock.jump(86_400)  # this process was away
    await theatre.turn("streaming.reconcile")
    theatre.clock.jump(LATE_S - 1)
    await theatre.turn("streaming.reconcile")
    assert (await media(theatre)).state == "planning"
    await theatre.planned(probe)
    assert (await media(theatre)).state == "encoding"


async def test_parts_whose_end_was_lost_count_by_their_checkpoints(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    sound, first, second = parts = await theatre.planned(probe)
    for job in (sound, first):
        await theatre.done(job, await theatre.make(job))
    await theatre.checkpoint(second, await theatre.make(second))
    theatre.jobs.queued(probe, *parts, probe="done", encode_chunk="done", encode_audio="done")
    await turns(theatre)
    assert (await media(theatre)).state == "ready"


async def test_a_chunk_whose_parts_were_never_told_fails_the_version(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    parts = await theatre.planned(probe)
    theatre.jobs.queued(probe, *parts, probe="done", encode_chunk="done")
    await turns(theatre)
    assert ((await media(theatre)).state, (await media(theatre)).error_code) == ("failed", "media.part_missing")


async def test_a_task_the_queue_does_not_know_fails(theatre: Theatre) -> None:
    await theatre.upload("c_film")
    await turns(theatre)
    assert ((await media(theatre)).state, (await media(theatre)).error_code) == ("failed", "media.task_lost")


async def test_work_that_goes_on_may_take_its_time(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    theatre.jobs.queued(probe, *(await theatre.planned(probe)), probe="done")
    await turns(theatre, 6)
    assert (await media(theatre)).state == "encoding"


async def test_a_worker_that_is_away_says_nothing(theatre: Theatre) -> None:
    await theatre.upload("c_film")
    theatre.jobs.fault = Unavailable("nobody serves worker")
    await turns(theatre, 6)
    assert (await media(theatre)).state == "planning"


async def test_pictures_wait_as_long_as_the_film_they_are_of_is_encoded(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    plan = theatre.plan_for(probe, copied="v720 a128")
    await theatre.done(probe, ProbeResult(plan=plan))
    job = await albums.ordered(theatre)
    theatre.jobs.queued(probe, *theatre.orders()[1:], probe="done")
    theatre.jobs.queued(job)
    await turns(theatre, 6)
    await theatre.done(job, await albums.result_of(theatre, job))
    await theatre.hear(events.PICTURES_CHANGED)
    assert (await media(theatre)).warnings == plan.warnings


async def test_pictures_whose_end_was_lost_are_a_warning(theatre: Theatre) -> None:
    await theatre.play("c_film")
    theatre.jobs.queued(await albums.ordered(theatre), pictures="done")
    await turns(theatre)
    state = await albums.warned(theatre, "c_film")
    assert (state.state, state.warnings[-1]) == (
        "ready",
        "pictures: media.result_invalid: the job's answer cannot be read",
    )
    warned = state.warnings
    await turns(theatre)
    assert (await media(theatre)).warnings == warned


async def test_a_poster_of_ones_own_whose_end_was_lost_leaves_nothing(theatre: Theatre) -> None:
    theatre.metadata.contents.add("c_film")  # nothing is uploaded yet
    async with theatre.client(CREATOR) as http:
        picture = b"\x89PNG\r\n\x1a\n of my own"
        answer = await http.put(albums.POSTER, content=picture, headers={"Content-Type": "image/png"})
    assert answer.status_code == 202
    await albums.ordered(theatre)
    await turns(theatre)
    await theatre.collected()


async def test_more_versions_than_one_turn_asks_about(theatre: Theatre) -> None:
    for n in range(21):
        theatre.jobs.queued(await theatre.upload(f"c_{n:02}"), probe="dead")
    await turns(theatre, 6)
    await theatre.hear(events.MEDIA_FAILED, 21)
