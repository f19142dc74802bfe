"""What is collected, and above all what is not: bytes that somebody may watch are never thrown away."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from streamgate.contracts import events
from streamgate.contracts.media import MadePart, MadeResult
from streamgate_streaming.tables import GarbageRow, RenditionRow, SegmentRow
from streamgate_worker.rows import blob_prefix
from tests.plugins.streaming.theatre import Theatre

PATHS = ("v360/init.mp4", "v360/2.m4s", "v720/2.m4s", "a128/0.m4s")


async def statuses(theatre: Theatre) -> list[int]:
    session = await theatre.watch("c_film")
    return [(await theatre.fetch(session, path)).status_code for path in PATHS]


async def test_a_finish_beside_the_last_checkpoint_keeps_what_was_indexed(
    theatre: Theatre, monkeypatch: pytest.MonkeyPatch
) -> None:
    *others, last = await theatre.planned(await theatre.upload("c_film"))
    for job in others:
        await theatre.done(job, await theatre.make(job))
    result = await theatre.make(last)
    orchestration = theatre.home.plugins["streaming"]._orchestration
    look, has_looked, may_go_on = orchestration._new, asyncio.Event(), asyncio.Event()

    async def slow_look(*asked: Any) -> tuple[MadePart, ...]:
        found: tuple[MadePart, ...] = await look(*asked)
        if not has_looked.is_set():  # the finish alone is held up
            has_looked.set()
            await may_go_on.wait()
        return found

    monkeypatch.setattr(orchestration, "_new", slow_look)
    finishing = asyncio.create_task(theatre.done(last, result))
    await has_looked.wait()
    await theatre.checkpoint(last, result)
    await theatre.hear(events.MEDIA_READY)
    may_go_on.set()
    await finishing
    await theatre.clock.advance(61)
    await theatre.collect()
    assert await statuses(theatre) == [200] * 4


async def test_what_lost_leases_left_is_collected_and_what_counts_stays(theatre: Theatre) -> None:
    jobs = await theatre.planned(await theatre.upload("c_film"))
    for job in jobs:
        await theatre.make(job, attempt=1)  # the transcoder dies: bytes are written, the lease is lost, nothing is told
        await theatre.done(job, await theatre.make(job, attempt=2))
    await theatre.hear(events.MEDIA_READY)
    await theatre.collected(but=("plans/", *(f"jobs/c_film/{job.job_id}/l_2/" for job in jobs)))
    assert await statuses(theatre) == [200] * 4


async def test_what_two_attempts_told_of_a_job_that_dies_is_collected(theatre: Theatre) -> None:
    _, job, _ = await theatre.planned(await theatre.upload("c_film"))
    for attempt in (1, 2):
        made = await theatre.make(job, attempt=attempt)
        told = tuple(attrs.evolve(part, segments=part.segments[:1]) for part in made.parts)
        await theatre.checkpoint(job, MadeResult(parts=told))
    await theatre.over(job, status="dead", error_code="x")
    await theatre.hear(events.MEDIA_FAILED)
    await theatre.collected()


async def test_a_deleted_content_leaves_nothing_behind(theatre: Theatre) -> None:
    """Not even what a job wrote whose end is never heard of; another content keeps its own."""
    sound, *_ = await theatre.planned(await theatre.upload("c_film"))
    await theatre.make(sound)
    await theatre.play("c_other")
    await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="creator"))
    await theatre.make(sound, attempt=2)  # a runner that was cut off
    await theatre.collected(but=("plans/c_other/", "jobs/c_other/"))
    session = await theatre.watch("c_other")
    assert [(await theatre.fetch(session, path)).status_code for path in PATHS] == [200] * 4


async def test_a_note_that_is_no_prefix_does_not_stop_the_collector(theatre: Theatre) -> None:
    await theatre.blobs.put_bytes("jobs/c_film/x", b"x")

    def note(session: Any) -> None:
        session.add_all(
            GarbageRow(key=key, due_at_ms=n) for n, key in enumerate(("jobs//", "jobs/../", "jobs/c_film/"))
        )

    await theatre.db.write(note)
    await theatre.collect()
    assert not await theatre.blobs.exists("jobs/c_film/x")
    assert await theatre.db.read(lambda session: session.query(GarbageRow).count()) == 0


def test_prefixes_are_those_that_worker_gives() -> None:
    assert blob_prefix("c_film", "j1", "l1") == "jobs/c_film/j1/l1"


async def test_the_collector_looks_again_before_it_deletes(theatre: Theatre) -> None:
    await theatre.play("c_film")

    def slander(session: Any) -> list[str]:
        keys = [row.key for row in session.query(SegmentRow)]
        keys += [row.init_key for row in session.query(RenditionRow)]
        session.add_all(GarbageRow(key=key, due_at_ms=0) for key in keys)
        return keys

    slandered = await theatre.db.write(slander)
    await theatre.collect()
    assert len(slandered) == 12
    assert await statuses(theatre) == [200] * 4
    assert await theatre.db.read(lambda session: session.query(GarbageRow).filter_by(due_at_ms=0).count()) == 0
