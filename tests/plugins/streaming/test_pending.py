"""The source as its own top rung: listed whole from the plan on, made when it is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.media import CHUNK_KIND, COPY_KIND, MediaChildFailed, ProbeResult
from streamgate.errors import Unavailable
from streamgate.testing.wait import eventually
from tests.plugins.streaming.makers import altered, begin, media
from tests.plugins.streaming.theatre import Theatre, bytes_of
from tests.plugins.streaming.viewers import code

BOTH = "v720 a128"


async def planned(theatre: Theatre, *, copied: str = BOTH, segments: int = 5, first: bool = False) -> dict[str, Any]:
    """A film of which nothing is made, or its first segments: a session, open."""
    probe = await theatre.upload("c_film")
    plan = theatre.plan_for(probe, copied=copied, segments=segments)
    made = await theatre._copied(plan, range(1)) if first else None
    await theatre.done(probe, ProbeResult(plan=plan, parts=made.parts if made else ()))
    await theatre.hear(events.MEDIA_PLAYABLE)
    return await theatre.watch("c_film")


async def test_it_plays_from_the_plan_on_with_complete_playlists(theatre: Theatre) -> None:
    session = await planned(theatre)
    assert ((await media(theatre)).state, (await media(theatre)).playable) == ("encoding", True)
    master = (await theatre.fetch(session)).text
    assert "v720/playlist.m3u8" in master
    assert "v360" not in master
    for track in ("v720", "a128"):
        playlist = (await theatre.fetch(session, f"{track}/playlist.m3u8")).text
        assert playlist.count(".m4s") == 5
        assert playlist.endswith("#EXT-X-ENDLIST\n")
    manifest = (await theatre.fetch(session, "manifest.mpd")).text
    assert 'type="static"' in manifest
    assert theatre.transcoder.asked == []
    for path in ("v720/init.mp4", "v720/3.m4s", "a128/3.m4s", "a128/init.mp4", "v720/2.m4s"):
        answer = await theatre.fetch(session, path)
        assert (answer.status_code, answer.headers["etag"][0]) == (200, '"')
        if "init" not in path:
            track, n = path.removesuffix(".m4s").split("/")
            assert answer.content == bytes_of(track, int(n))
    assert [(query.seg_from, query.seg_to) for query in theatre.transcoder.asked] == [(0, 2), (2, 4)]
    assert (await theatre.fetch(session, "v720/5.m4s")).status_code == 404


async def test_what_the_probe_has_cut_is_there_without_asking(theatre: Theatre) -> None:
    session = await planned(theatre, first=True)
    for path in ("v720/init.mp4", "v720/0.m4s", "a128/init.mp4", "a128/0.m4s"):
        assert (await theatre.fetch(session, path)).status_code == 200
    assert theatre.transcoder.asked == []


async def test_rates_are_those_of_the_bytes_before_and_after(theatre: Theatre) -> None:
    """The playlist of a viewer who came early says the same as that of one who came late."""
    session = await planned(theatre)
    before = (await theatre.fetch(session)).text
    for job in (await theatre.ordered(5))[1:]:
        if job.kind == COPY_KIND:
            await theatre.done(job, await theatre.make(job))
    told = await theatre.hear(events.RENDITION_READY, 2)
    assert {each.rendition_id for each in told} == {"v720", "a128"}
    assert (await theatre.fetch(session)).text == before
    assert (await theatre.fetch(session, "v720/4.m4s")).content == bytes_of("v720", 4)
    assert theatre.transcoder.asked == []


async def test_the_work_is_a_copy_and_what_is_lower(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=5)
    assert [job.kind for job in jobs] == [COPY_KIND, *[CHUNK_KIND] * 3]
    assert (jobs[0].payload["seg_from"], jobs[0].payload["seg_to"]) == (0, 5)
    for job in jobs:
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)
    assert [(each.id, each.status) for each in (await media(theatre)).renditions] == [
        ("v720", "ready"),
        ("v360", "ready"),
        ("a128", "ready"),
    ]
    assert len(theatre.told(events.MEDIA_PLAYABLE)) == 1


async def test_a_long_film_is_copied_by_jobs_whose_results_fit_into_messages(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=301)
    spans = [(job.payload["seg_from"], job.payload["seg_to"]) for job in theatre.orders() if job.kind == COPY_KIND]
    assert spans == [(0, 300), (300, 301)]
    for job in theatre.orders():
        if job.kind == COPY_KIND:
            await theatre.done(job, await theatre.make(job))
    assert {each.rendition_id for each in await theatre.hear(events.RENDITION_READY, 2)} == {"v720", "a128"}
    assert jobs


async def test_many_who_ask_at_once_are_served_by_one_cut(theatre: Theatre) -> None:
    await planned(theatre)
    people = [Actor(kind="user", user_id=f"viewer{n}", roles=("viewer",)) for n in range(8)]
    theatre.auth.holders |= {person.user_id for person in people}
    sessions = [await theatre.watch("c_film", actor=person) for person in people]
    files = [(session, path) for session in sessions for path in ("v720/2.m4s", "a128/3.m4s")]
    theatre.transcoder.open.clear()
    asking = [asyncio.create_task(theatre.fetch(*file)) for file in files]

    async def is_asked() -> bool | None:
        return True if theatre.transcoder.asked else None

    await eventually(is_asked, what="a cut")
    theatre.transcoder.open.set()
    answers = await asyncio.gather(*asking)
    assert {answer.status_code for answer in answers} == {200}
    assert len(theatre.transcoder.asked) == 1


async def test_a_session_may_wait_for_four_parts_at_once(theatre: Theatre) -> None:
    session = await planned(theatre, segments=20)
    theatre.transcoder.open.clear()
    asking = [asyncio.create_task(theatre.fetch(session, f"v720/{n}.m4s")) for n in range(0, 8, 2)]

    async def all_wait() -> bool | None:
        return True if len(theatre.transcoder.asked) == 4 else None

    await eventually(all_wait, what="four cuts")
    refused = await theatre.fetch(session, "v720/18.m4s")
    assert code(refused) == (503, "stream.segment_pending")
    assert int(refused.headers["retry-after"]) >= 1
    theatre.transcoder.open.set()
    assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}
    assert (await theatre.fetch(session, "v720/18.m4s")).status_code == 200


@pytest.mark.parametrize("fault", [Unavailable("nobody offers it"), MediaChildFailed("it was killed")])
async def test_a_transcoder_that_is_away_is_said_and_the_session_goes_on(theatre: Theatre, fault: Exception) -> None:
    session = await planned(theatre)
    theatre.transcoder.fault = fault
    refused = await theatre.fetch(session, "v720/1.m4s")
    assert code(refused) == (503, "stream.segment_pending")
    assert "retry-after" in refused.headers
    assert refused.headers["access-control-allow-origin"] == "*"
    assert (await theatre.fetch(session, "v720/playlist.m3u8")).status_code == 200
    theatre.transcoder.fault = None
    assert (await theatre.fetch(session, "v720/1.m4s")).content == bytes_of("v720", 1)
    assert theatre.told(events.SESSION_ENDED) == []


async def test_asking_for_the_head_alone_makes_nothing(theatre: Theatre) -> None:
    session = await planned(theatre)
    assert (await theatre.fetch(session, "v720/1.m4s", method="HEAD")).status_code == 503
    assert theatre.transcoder.asked == []
    assert (await theatre.fetch(session, "v720/1.m4s")).status_code == 200


async def test_what_is_cut_otherwise_than_planned_is_not_served(theatre: Theatre) -> None:
    session = await planned(theatre)
    right = theatre.transcoder.cut_now
    assert right is not None
    for changes in ({"decode_time_ticks": 7}, {"key": "sources/somebody-elses"}):

        async def wrong(query: Any, changes: dict[str, Any] = changes) -> Any:
            return altered(await theatre.cut(query), "v720", **changes)

        theatre.transcoder.cut_now = wrong
        assert code(await theatre.fetch(session, "v720/0.m4s")) == (503, "stream.segment_pending")
    theatre.transcoder.cut_now = right
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 200


async def test_encoded_sound_beside_it_is_listed_too_and_comes_by_checkpoints(theatre: Theatre) -> None:
    session = await planned(theatre, copied="v720", first=True)
    assert "a128/playlist.m3u8" in (await theatre.fetch(session)).text
    asking = asyncio.create_task(theatre.fetch(session, "a128/1.m4s"))
    [sound] = [job for job in await theatre.ordered(6) if job.payload.get("rendition_id") == "a128"]

    async def is_hurried() -> bool | None:
        return theatre.jobs.bumped == [sound.job_id] or None

    await eventually(is_hurried, what="a word to the queue")
    await theatre.checkpoint(sound, await theatre.make(sound))

    async def is_there() -> bool | None:
        await theatre.clock.advance(0.25)
        return True if asking.done() else None

    await eventually(is_there, what="the sound")
    assert (await asking).content == bytes_of("a128", 1)
    assert theatre.transcoder.asked == []


async def test_a_source_that_cannot_be_cut_after_all_is_encoded_as_another_version(theatre: Theatre) -> None:
    session = await planned(theatre, first=True)
    [copy] = [job for job in await theatre.ordered(5) if job.kind == COPY_KIND]
    await theatre.over(copy, status="dead", error_code="media.output_invalid", error_detail="segment 3")
    [ended] = await theatre.hear(events.SESSION_ENDED)
    assert ended.reason == "version_changed"
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 410
    state = await media(theatre)
    assert (state.media_version, state.state, state.playable) == (2, "planning", False)
    assert theatre.told(events.MEDIA_FAILED) == []
    probe = theatre.orders()[-1]
    assert (probe.payload["media_version"], probe.payload["copies_prefix"]) == (2, "")
    for job in await theatre.planned(probe):
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)
    assert (await theatre.fetch(await theatre.watch("c_film"), "v360/0.m4s")).status_code == 200
    await theatre.collected(but=("jobs/", "plans/c_film/2/"))


async def test_a_deleted_film_leaves_nothing_that_was_cut(theatre: Theatre) -> None:
    session = await planned(theatre, first=True)
    assert (await theatre.fetch(session, "v720/2.m4s")).status_code == 200
    await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="creator"))
    await theatre.hear(events.SESSION_ENDED)
    assert (await theatre.fetch(session, "v720/2.m4s")).status_code == 410
    await theatre.collected()


@pytest.mark.parametrize(
    "changes",
    [
        {"copies_prefix": "sources/"},
        {"copies_prefix": ""},
        {"audio_grid": (0, 1024)},
    ],
)
async def test_a_plan_that_copies_otherwise_is_refused(theatre: Theatre, changes: dict[str, Any]) -> None:
    probe = await theatre.upload("c_film")
    plan = attrs.evolve(theatre.plan_for(probe, copied=BOTH), **changes)
    await theatre.done(probe, ProbeResult(plan=plan))
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == "media.plan_invalid"
