"""From an upload to a whole stream, event by event, on a real database, outbox and blob store."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from streamgate.contracts import events
from streamgate.contracts.media import MadeResult, ProbeResult
from tests.plugins.streaming.makers import altered, begin, media
from tests.plugins.streaming.theatre import Theatre

# --- the ways down ----------------------------------------------------------------------------------


async def test_a_file_that_is_no_media_fails_with_the_probes_code(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    await theatre.over(probe, status="failed", error_code="media.not_media", error_detail="no moov")
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert (failed.code, failed.detail, failed.media_version) == ("media.not_media", "no moov", 1)
    state = await media(theatre)
    assert (state.state, state.playable, state.error_code) == ("failed", False, "media.not_media")


@pytest.mark.parametrize("result", [{}, {"plan": {"plan": 1}}, {"plan": None}])
async def test_a_probe_whose_answer_cannot_be_read_fails(theatre: Theatre, result: dict[str, Any]) -> None:
    await theatre.over(await theatre.upload("c_film"), status="done", result=result)
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == "media.result_invalid"


async def test_a_plan_for_something_else_fails(theatre: Theatre) -> None:
    _, parts = await begin(theatre)
    other = await theatre.upload("c_other")
    await theatre.done(other, ProbeResult(plan=await theatre.plan_of(parts[0])))
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert (failed.subject_id, failed.code) == ("c_other", "media.plan_invalid")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"decode_time_ticks": 1}, "media.part_refused"),
        ({"duration_ticks": 51_199}, "media.part_refused"),
        ({"size_bytes": 5}, "media.part_missing"),
        ({"key": "leases/nowhere/0.m4s"}, "media.part_missing"),
        ({"key": "../../etc/passwd"}, "media.part_missing"),
    ],
)
async def test_a_base_that_is_not_as_planned_fails_the_version(
    theatre: Theatre, changes: dict[str, Any], code: str
) -> None:
    _, (sound, first, _) = await begin(theatre)
    await theatre.done(sound, await theatre.make(sound))
    await theatre.done(first, altered(await theatre.make(first), "v360", **changes))
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == code
    assert theatre.told(events.MEDIA_PLAYABLE) == []


@pytest.mark.parametrize("changes", [{"decode_time_ticks": 1}, {}])
async def test_what_was_made_of_a_version_that_fails_is_collected(theatre: Theatre, changes: dict[str, Any]) -> None:
    _, (sound, first, second) = await begin(theatre)
    await theatre.done(sound, await theatre.make(sound))
    await theatre.done(first, altered(await theatre.make(first), "v360", **changes))
    await theatre.over(second, status="dead", error_code="media.corrupt", error_detail="x")
    await theatre.hear(events.MEDIA_FAILED)
    await theatre.collected()


async def test_parts_with_another_init_are_refused(theatre: Theatre) -> None:
    _, (_, first, second) = await begin(theatre)
    await theatre.done(first, await theatre.make(first))
    made = await theatre.make(second)
    parts = [attrs.evolve(part, init_sha256="0" * 64) if part.rendition_id == "v720" else part for part in made.parts]
    await theatre.done(second, MadeResult(parts=tuple(parts)))
    assert [(each.id, each.status) for each in (await media(theatre)).renditions][:2] == [
        ("v720", "failed"),
        ("v360", "ready"),
    ]


async def test_a_higher_rung_that_fails_leaves_ready_with_a_warning(theatre: Theatre) -> None:
    _, (sound, first, second) = await begin(theatre)
    await theatre.done(sound, await theatre.make(sound))
    await theatre.done(first, altered(await theatre.make(first), "v720", decode_time_ticks=7))
    await theatre.done(second, await theatre.make(second))
    [ready] = await theatre.hear(events.MEDIA_READY)
    assert ready.warnings[0] == "plan: a remark"
    assert ready.warnings[1].startswith("v720: media.part_refused: ")
    assert theatre.told(events.MEDIA_FAILED) == []
    session = await theatre.watch("c_film")
    assert "v720" not in (await theatre.fetch(session)).text
    assert (await theatre.fetch(session, "v720/0.m4s")).status_code == 404


async def test_sound_that_cannot_be_made_leaves_the_picture(theatre: Theatre) -> None:
    _, (sound, first, second) = await begin(theatre)
    await theatre.over(sound, status="dead", error_code="media.corrupt", error_detail="no frame")
    for job in (first, second):
        await theatre.done(job, await theatre.make(job))
    [ready] = await theatre.hear(events.MEDIA_READY)
    assert ready.warnings == ("plan: a remark", "a128: media.corrupt: no frame")
    session = await theatre.watch("c_film")
    assert "mp4a" not in (await theatre.fetch(session)).text


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"status": "dead", "error_code": "media.corrupt", "error_detail": "x"}, "media.corrupt"),
        ({"status": "failed", "error_code": "", "error_detail": ""}, "media.job_failed"),
        ({"status": "cancelled"}, "media.cancelled"),
        ({"status": "done", "result": {"parts": 5}}, "media.result_invalid"),
        ({"status": "done", "result": {"parts": []}}, "media.part_missing"),
    ],
)
async def test_a_chunk_that_is_not_made_fails_the_version(theatre: Theatre, how: dict[str, Any], code: str) -> None:
    _, (_, first, _) = await begin(theatre)
    await theatre.over(first, **how)
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == code


async def test_a_plan_that_is_refused_is_collected(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    await theatre.done(probe, ProbeResult(plan=attrs.evolve(theatre.plan_for(probe), content_id="c_other")))
    await theatre.hear(events.MEDIA_FAILED)
    assert [each.key async for each in theatre.blobs.list("plans/")]
    await theatre.collected()


async def test_a_plan_that_comes_after_the_deletion_is_collected(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="creator")
    await theatre.say(events.CONTENT_DELETED, gone)
    await theatre.collected()
    await theatre.done(probe, ProbeResult(plan=theatre.plan_for(probe)))
    assert len(theatre.orders()) == 1
    await theatre.collected()


async def test_parts_that_come_after_the_failure_are_collected(theatre: Theatre) -> None:
    _, (_, first, second) = await begin(theatre)
    await theatre.over(first, status="dead", error_code="media.corrupt", error_detail="x")
    await theatre.done(second, await theatre.make(second))
    await theatre.collected()
    assert len(await theatre.hear(events.MEDIA_FAILED)) == 1


async def test_a_bad_checkpoint_is_left_for_the_end(theatre: Theatre) -> None:
    _, (_, first, _) = await begin(theatre)
    made = await theatre.make(first)
    await theatre.checkpoint(first, altered(made, "v360", decode_time_ticks=9))
    await theatre.done(first, made)
    assert [each.status for each in (await media(theatre)).renditions] == ["running", "running", "planned"]


async def test_jobs_of_others_are_none_of_ours(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    await theatre.over(attrs.evolve(probe, job_id="somebody-elses"), status="failed", error_code="x", error_detail="x")
    assert (await media(theatre)).state == "planning"
