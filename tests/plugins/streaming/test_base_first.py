"""A film that has to be encoded is watched while it is made: its lowest rung, by jobs of its own, before the others."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND
from streamgate.contracts.streaming import STREAMING, Transcode
from streamgate.testing.wait import eventually
from tests.plugins.streaming.encoding import answered, fetching
from tests.plugins.streaming.makers import media
from tests.plugins.streaming.theatre import Theatre, bytes_of

Film = tuple[dict[str, Any], list[NewJob]]


async def jobs_of(theatre: Theatre, probe: NewJob, **shape: Any) -> list[NewJob]:
    """The jobs that such a plan causes."""
    return await theatre.planned(probe, attrs.evolve(theatre.plan_for(probe, segments=5, **shape), base_first=True))


@pytest.fixture
async def film(theatre: Theatre) -> Film:
    """Of which nothing is made: a session, open, and the jobs."""
    jobs = await jobs_of(theatre, await theatre.upload("c_film"))
    await theatre.hear(events.MEDIA_PLAYABLE)
    return await theatre.watch("c_film"), jobs


async def test_the_lowest_rung_is_ordered_by_itself_and_before_the_others(film: Film) -> None:
    _, jobs = film
    assert [job.kind for job in jobs] == [AUDIO_KIND, *[CHUNK_KIND] * 6]
    told = [(job.payload["chunk_n"], job.payload["rendition_ids"]) for job in jobs[1:]]
    assert told == [*((n, ["v360"]) for n in range(3)), *((n, ["v720"]) for n in range(3))]
    assert len({job.idempotency_key for job in jobs}) == 7


async def test_it_plays_from_the_plan_on_and_what_is_missing_jumps_the_queue(theatre: Theatre, film: Film) -> None:
    session, jobs = film
    assert ((await media(theatre)).state, (await media(theatre)).playable) == ("encoding", True)
    master = (await theatre.fetch(session)).text
    assert ("v360/playlist.m3u8" in master, "a128" in master, "v720" in master) == (True, True, False)
    for track in ("v360", "a128"):
        playlist = (await theatre.fetch(session, f"{track}/playlist.m3u8")).text
        assert (playlist.count(".m4s"), playlist.endswith("#EXT-X-ENDLIST\n")) == (5, True)
    asking = fetching(theatre, session, "v360/3.m4s", "v360/init.mp4", "a128/1.m4s")
    wanted = {jobs[0].job_id, jobs[1].job_id, jobs[2].job_id}  # the head comes with the first chunk

    async def are_hurried() -> bool | None:
        return set(theatre.jobs.bumped) == wanted or None

    await eventually(are_hurried, what="words to the queue")
    for job in (jobs[0], jobs[2]):
        await theatre.done(job, await theatre.make(job))
    await answered(asking, theatre)
    assert [task.result().status_code for task in asking] == [200, 200, 200]
    assert asking[0].result().content == bytes_of("v360", 3)


async def test_the_others_are_listed_when_they_are_whole_and_rates_only_fall(theatre: Theatre, film: Film) -> None:
    session, jobs = film
    before = (await theatre.fetch(session)).text
    for job in jobs:
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)
    after = (await theatre.fetch(session)).text
    assert "v720/playlist.m3u8" in after
    assert bandwidth_of(before) >= bandwidth_of(after)
    assert len(theatre.told(events.MEDIA_PLAYABLE)) == 1
    assert {each.status for each in (await media(theatre)).renditions} == {"ready"}


async def test_nobody_is_taken_from_a_version_that_is_whole(theatre: Theatre) -> None:
    await theatre.play("c_film")
    before = len(theatre.orders())
    wanted = Transcode(content_id="c_film", actor=Actor(kind="user", user_id="creator"), profile="web")
    await theatre.home.services.get(STREAMING).transcode(wanted)
    jobs = await jobs_of(theatre, (await theatre.ordered(before + 1))[-1])
    session = await theatre.watch("c_film")
    assert "v720/playlist.m3u8" in (await theatre.fetch(session)).text
    assert (await theatre.fetch(session, "v360/2.m4s")).status_code == 200
    for job in jobs[:4]:
        await theatre.done(job, await theatre.make(job))
    assert (await theatre.hear(events.MEDIA_PLAYABLE, 2))[-1].media_version == 2


async def test_where_it_cannot_be_made_after_all_those_who_watch_are_told(theatre: Theatre, film: Film) -> None:
    session, jobs = film
    await theatre.over(jobs[2], status="dead", error_code="media.child_failed", error_detail="signal 11")
    [ended] = await theatre.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (session["session_id"], "withdrawn")
    assert (await theatre.fetch(session, "v360/0.m4s")).status_code == 410
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == "media.child_failed"
    assert ((await media(theatre)).state, (await media(theatre)).playable) == ("failed", False)


async def test_that_another_rung_cannot_be_made_takes_nothing_from_it(theatre: Theatre, film: Film) -> None:
    session, jobs = film
    await theatre.over(jobs[4], status="dead", error_code="media.child_failed", error_detail="signal 11")
    for job in (*jobs[:4], *jobs[5:]):
        await theatre.done(job, await theatre.make(job))
    [ready] = await theatre.hear(events.MEDIA_READY)
    assert ready.warnings[-1] == "v720: media.child_failed: signal 11"
    assert (await theatre.fetch(session, "v360/4.m4s")).content == bytes_of("v360", 4)


def bandwidth_of(master: str) -> int:
    """Of the lowest rung."""
    found = re.search(r"[:,]BANDWIDTH=(\d+)[^\n]*\nv360", master)
    assert found is not None, master
    return int(found[1])
