"""One rendition that failed is made again, and nothing of the others."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from streamgate.contracts import events
from streamgate.contracts.audit import AUDITED
from streamgate.contracts.jobs import JobNotFound, NewJob
from streamgate.contracts.media import ASKED_KIND, AUDIO_KIND, CHUNK_KIND, COPY_KIND
from streamgate.contracts.streaming import (
    STREAMING,
    RenditionNotFailed,
    RenditionState,
    RenditionUnknown,
    RetryRendition,
    VersionFailed,
)
from streamgate.settings import KernelSettings
from streamgate.testing.wait import eventually
from tests.plugins.streaming.encoding import Encoder, answered
from tests.plugins.streaming.makers import altered, begin, media
from tests.plugins.streaming.others import CREATOR
from tests.plugins.streaming.theatre import Open, Theatre, bytes_of
from tests.plugins.streaming.viewers import code

BOTH = "v720 a128"
DIED: dict[str, Any] = {"status": "dead", "error_code": "media.child_failed", "error_detail": "it died"}


async def retry(theatre: Theatre, rendition_id: str, task_id: str = "") -> list[NewJob]:
    """What is ordered because of it."""
    before = len(theatre.orders())
    wanted = RetryRendition(task_id=task_id or (await media(theatre)).root_id, rendition_id=rendition_id, actor=CREATOR)
    await theatre.home.services.get(STREAMING).retry(wanted)
    return (await theatre.ordered(before + 1))[before:]


async def rendition(theatre: Theatre, rendition_id: str) -> RenditionState:
    return next(each for each in (await media(theatre)).renditions if each.id == rendition_id)


async def is_listed(theatre: Theatre, session: dict[str, Any], rendition_id: str, expected: bool) -> bool | None:
    """None while it is not as expected; no time goes by."""
    return True if (rendition_id in (await theatre.fetch(session)).text) is expected else None


async def film_without(theatre: Theatre, fails: str, **shape: Any) -> NewJob:
    """A film of which one kind of job died, once, and all else is made."""
    _, jobs = await begin(theatre, **{"copied": BOTH, "segments": 6, **shape})
    lost = next(job for job in jobs if job.kind == fails and job.payload.get("chunk_n", 1) == 1)
    for job in jobs:
        if job is lost:
            await theatre.over(job, **DIED)
        else:
            await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY)
    return lost


async def test_what_is_missing_is_made_and_what_is_there_stays(
    open_theatre: Open, stored_in: KernelSettings | None
) -> None:
    async with open_theatre(stored_in) as theatre:
        lost = await film_without(theatre, CHUNK_KIND)
        session = await theatre.watch("c_film")
        assert (await rendition(theatre, "v360")).status == "failed"
        assert "v360" not in (await theatre.fetch(session)).text
        assert any(warning.startswith("v360: ") for warning in (await media(theatre)).warnings)

        [job] = await retry(theatre, "v360")
        assert (job.kind, job.root_id) == (CHUNK_KIND, lost.root_id)
        assert (job.payload["chunk_n"], job.payload["rendition_ids"]) == (1, ["v360"])
        state = await rendition(theatre, "v360")
        assert state.status == "running"
        assert state.progress == pytest.approx(4 / 6)
        with pytest.raises(RenditionNotFailed):
            await retry(theatre, "v360")

        made = await theatre.make(job)
        assert [part.rendition_id for part in made.parts] == ["v360"]
        await theatre.done(job, made)
        assert (await theatre.hear(events.RENDITION_READY, 3))[-1].rendition_id == "v360"
        told = (await theatre.hear(events.MEDIA_READY, 2))[-1]
        assert told.warnings == ("plan: a remark",)
        for n in (0, 2, 5):
            assert (await theatre.fetch(session, f"v360/{n}.m4s")).content == bytes_of("v360", n)
        assert theatre.transcoder.asked == []
        [noted] = [each for each in theatre.told(AUDITED) if each.act == "transcode.retried"]
        assert (noted.subject_id, noted.detail) == ("content:c_film", {"rendition": "v360"})


async def test_one_that_fails_again_says_so_once_and_may_be_tried_again(theatre: Theatre) -> None:
    await film_without(theatre, CHUNK_KIND)
    for count in (1, 2):
        [job] = await retry(theatre, "v360")
        fault = f"media.fault_{count}"
        await theatre.over(job, status="failed", error_code=fault, error_detail="still")
        warnings = (await theatre.hear(events.MEDIA_READY, 1 + count))[-1].warnings
        assert warnings == ("plan: a remark", f"v360: {fault}: still")
    state = await media(theatre)
    assert (state.state, state.error_code, state.playable) == ("ready", "", True)
    [job] = await retry(theatre, "v360")
    await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.RENDITION_READY, 3)
    assert (await media(theatre)).warnings == ("plan: a remark",)


async def test_a_job_that_died_when_all_of_it_had_come_takes_nothing_away(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=6)
    first = next(job for job in jobs if job.kind == CHUNK_KIND)
    await theatre.checkpoint(first, await theatre.make(first))
    await theatre.over(first, **DIED)
    assert (await rendition(theatre, "v360")).status == "running"
    for job in jobs:
        if job is not first:
            await theatre.done(job, await theatre.make(job))
    assert (await theatre.hear(events.MEDIA_READY))[-1].warnings == ("plan: a remark",)


async def test_what_is_all_there_is_whole_at_once_and_the_owner_hears_so(theatre: Theatre) -> None:
    """What an attempt handed in was right, what the next one said at its end was not."""
    _, jobs = await begin(theatre, copied=BOTH, segments=6)
    odd = next(job for job in jobs if job.payload.get("chunk_n") == 1)
    for job in jobs:
        made = await theatre.make(job)
        if job is odd:
            await theatre.checkpoint(job, made)
            made = altered(await theatre.make(job, attempt=2), "v360", decode_time_ticks=7)
        await theatre.done(job, made)
    assert any(warning.startswith("v360: ") for warning in (await theatre.hear(events.MEDIA_READY))[0].warnings)
    wanted = RetryRendition(task_id=jobs[0].root_id, rendition_id="v360", actor=CREATOR)
    await theatre.home.services.get(STREAMING).retry(wanted)
    assert (await rendition(theatre, "v360")).status == "ready"
    assert (await theatre.hear(events.MEDIA_READY, 2))[-1].warnings == ("plan: a remark",)


async def test_a_sound_is_made_as_a_whole(theatre: Theatre) -> None:
    await film_without(theatre, AUDIO_KIND, copied="v720")
    session = await theatre.watch("c_film")
    assert "a128" not in (await theatre.fetch(session)).text
    [job] = await retry(theatre, "a128")
    assert (job.kind, job.payload["rendition_id"]) == (AUDIO_KIND, "a128")
    await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.RENDITION_READY, 3)
    assert "a128/playlist.m3u8" in (await theatre.fetch(session)).text


async def test_a_copied_sound_is_cut_again_and_the_picture_beside_it_stays(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=5)
    for job in jobs:
        made = await theatre.make(job)
        await theatre.done(job, altered(made, "a128", decode_time_ticks=7) if job.kind == COPY_KIND else made)
    await theatre.hear(events.MEDIA_READY)
    assert (await rendition(theatre, "a128")).status == "failed"
    [job] = await retry(theatre, "a128")
    assert (job.kind, job.payload["seg_from"], job.payload["seg_to"]) == (COPY_KIND, 0, 5)
    await theatre.done(job, await theatre.make(job))
    assert {each.rendition_id for each in await theatre.hear(events.RENDITION_READY, 3)} == {"v720", "v360", "a128"}
    session = await theatre.watch("c_film")
    await theatre.clock.advance(90)
    await theatre.collect()
    assert (await theatre.fetch(session, "v720/4.m4s")).content == bytes_of("v720", 4)


async def test_while_others_are_made_only_what_nobody_works_at_is_asked_for(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=6)
    chunks = [job for job in jobs if job.kind == CHUNK_KIND]
    await theatre.over(chunks[0], **DIED)
    [job] = await retry(theatre, "v360")
    assert job.payload["chunk_n"] == 0
    for each in (*jobs, job):
        if each is not chunks[0]:
            await theatre.done(each, await theatre.make(each))
    assert (await theatre.hear(events.MEDIA_READY))[-1].warnings == ("plan: a remark",)


@pytest.mark.parametrize(
    ("rendition_id", "task_id", "fault"),
    [
        ("v720", "", RenditionNotFailed),
        ("v999", "", RenditionUnknown),
        ("v360", "nobody", JobNotFound),
    ],
)
async def test_what_cannot_be_tried_again_is_refused(
    theatre: Theatre, rendition_id: str, task_id: str, fault: type[Exception]
) -> None:
    await film_without(theatre, CHUNK_KIND)
    orders = len(theatre.orders())
    with pytest.raises(fault):
        await retry(theatre, rendition_id, task_id)
    assert len(theatre.orders()) == orders


async def test_of_a_version_that_failed_nothing_is_left_to_be_mended(theatre: Theatre) -> None:
    _, jobs = await begin(theatre)
    await theatre.over(next(job for job in jobs if job.kind == CHUNK_KIND), **DIED)
    await theatre.hear(events.MEDIA_FAILED)
    with pytest.raises(VersionFailed):
        await retry(theatre, "v360")


async def test_a_lazy_rung_is_listed_again(theatre: Theatre) -> None:
    _, jobs = await begin(theatre, copied=BOTH, segments=4, lazy="v540 v480")
    for job in jobs:
        await theatre.done(job, await theatre.make(job))
    session = await theatre.watch("c_film")
    asking = asyncio.create_task(theatre.fetch(session, "v480/0.m4s"))
    await theatre.over((await theatre.ordered(6))[-2], **DIED)
    await answered([asking], theatre)
    assert (await rendition(theatre, "v480")).status == "failed"
    assert (await asking).status_code == 404
    assert any(warning.startswith("v480: ") for warning in (await theatre.hear(events.MEDIA_READY, 2))[-1].warnings)
    await eventually(partial(is_listed, theatre, session, "v480", False), what="a list without it")
    wanted = RetryRendition(task_id=jobs[0].root_id, rendition_id="v480", actor=CREATOR)
    await theatre.home.services.get(STREAMING).retry(wanted)
    assert (await rendition(theatre, "v480")).status == "planned"
    assert (await theatre.hear(events.MEDIA_READY, 3))[-1].warnings == ("plan: a remark",)
    await eventually(partial(is_listed, theatre, session, "v480", True), what="a list with it")
    asking = asyncio.create_task(theatre.fetch(session, "v480/0.m4s"))
    encoder = Encoder(theatre, over=[job for job in theatre.orders() if job.kind == ASKED_KIND][:1])
    await encoder.serve([asking])
    assert (await asking).content == bytes_of("v480", 0)


async def test_an_end_that_was_never_heard_does_not_leave_it_in_the_making_for_ever(theatre: Theatre) -> None:
    lost = await film_without(theatre, CHUNK_KIND)
    probe = theatre.orders()[0]
    [job] = await retry(theatre, "v360")
    theatre.jobs.queued(probe, lost, job, probe="done", encode_chunk="dead")
    for _ in range(3):
        theatre.clock.jump(601)
        await theatre.turn("streaming.reconcile")
    assert (await rendition(theatre, "v360")).status == "failed"


async def test_while_a_part_is_made_again_keys_stay_and_who_deletes_the_film_stops_it(theatre: Theatre) -> None:
    theatre.metadata.protection["c_film"] = "encrypted"
    lost = await film_without(theatre, CHUNK_KIND)
    await retry(theatre, "v360")
    answer = await theatre.client(CREATOR).post("/api/v1/stream/rekey", json={"content_id": "c_film"})
    assert code(answer) == (409, "stream.still_made")
    theatre.jobs.known.add(lost.root_id)
    gone = events.ContentDeleted(subject_id="c_film", revision=9, owner=CREATOR.user_id)
    await theatre.say(events.CONTENT_DELETED, gone)
    assert theatre.jobs.cancelled == [lost.root_id]
