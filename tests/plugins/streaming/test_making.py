"""From an upload to a whole stream, event by event, on a real database, outbox and blob store."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
import pytest

from streamgate.bus.base import MAX_PAYLOAD_BYTES
from streamgate.contracts import events
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, PROBE_KIND, MadeResult, ProbeResult
from streamgate.testing.wait import eventually
from tests.plugins.streaming.makers import altered, begin, media
from tests.plugins.streaming.theatre import Theatre

# --- the way up -------------------------------------------------------------------------------------


async def test_an_upload_asks_for_a_probe_once(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    again = events.UploadFinished(
        subject_id="c_film",
        revision=1,
        upload_id="u_c_film_1",
        content_id="c_film",
        owner="creator",
        filename="film.mp4",
        source_key="sources/c_film/1",
        size_bytes=1_000_000,
    )
    await theatre.say(events.UPLOAD_FINISHED, again, event_id=theatre.heard[0].event_id)  # the same delivery
    await theatre.say(events.UPLOAD_FINISHED, again)  # the same fact, said twice
    assert [job.job_id for job in theatre.orders()] == [probe.job_id]
    assert (probe.kind, probe.root_id, probe.owner, probe.subject_id) == (PROBE_KIND, "", "creator", "c_film")
    assert probe.payload["source"] == {"key": "sources/c_film/1", "size_bytes": 1_000_000}
    state = await media(theatre)
    assert (state.state, state.media_version, state.root_id) == ("planning", 1, probe.job_id)


async def test_an_older_source_that_comes_late_is_ignored(theatre: Theatre) -> None:
    await theatre.upload("c_film", revision=5)
    body = attrs.evolve(
        theatre.told(events.UPLOAD_FINISHED)[0], revision=4, upload_id="u_old", source_key="sources/old"
    )
    await theatre.say(events.UPLOAD_FINISHED, body)
    assert (await media(theatre)).media_version == 1
    assert len(theatre.orders()) == 1


async def test_a_plan_asks_for_sound_first_then_every_chunk_below_the_root(theatre: Theatre) -> None:
    probe, parts = await begin(theatre)
    assert [job.kind for job in parts] == [AUDIO_KIND, CHUNK_KIND, CHUNK_KIND]
    assert {job.root_id for job in parts} == {probe.job_id}
    assert [job.payload.get("chunk_n") for job in parts] == [None, 0, 1]
    assert len({job.idempotency_key for job in parts} | {probe.idempotency_key}) == 4
    [planned] = await theatre.hear(events.MEDIA_PLANNED)
    assert (planned.duration_s, planned.kind) == (12.0, "video")


async def test_playable_when_base_and_sound_are_whole_then_ready(theatre: Theatre) -> None:
    _, (sound, first, second) = await begin(theatre)
    await theatre.done(second, await theatre.make(second))
    await theatre.done(first, await theatre.make(first))
    assert {told.rendition_id for told in await theatre.hear(events.RENDITION_READY, 2)} == {"v720", "v360"}
    assert not (await media(theatre)).playable  # the sound is not there yet
    await theatre.done(sound, await theatre.make(sound))
    [ready] = await theatre.hear(events.MEDIA_READY)
    assert (ready.media_version, ready.duration_s, ready.warnings) == (1, 12.0, ("plan: a remark",))
    assert len(theatre.told(events.MEDIA_PLAYABLE)) == 1
    state = await media(theatre)
    assert (state.state, state.playable) == ("ready", True)
    assert [(each.id, each.status, each.progress) for each in state.renditions] == [
        ("v720", "ready", 1.0),
        ("v360", "ready", 1.0),
        ("a128", "ready", 1.0),
    ]
    sizes = sum(len(data) for key, data in theatre.made.items() if "/a128/" in key and "init" not in key)
    assert state.renditions[2].bitrate_bps == sizes * 8 * 48_000 // 575_488


async def test_what_is_told_of_a_content_counts_up(theatre: Theatre) -> None:
    await theatre.play("c_film")
    kinds = ("jobs.", "media.", "rendition.")
    revisions = [each.body.revision for each in theatre.heard if each.name.startswith(kinds)]
    assert revisions == sorted(set(revisions))


async def test_checkpoints_count_and_repeating_them_changes_nothing(theatre: Theatre) -> None:
    _, (sound, *chunks) = await begin(theatre)
    whole = await theatre.make(sound)
    begun = MadeResult(parts=(attrs.evolve(whole.parts[0], segments=whole.parts[0].segments[:2]),))
    await theatre.checkpoint(sound, begun)
    await theatre.checkpoint(sound, begun)
    assert [(each.status, each.progress) for each in (await media(theatre)).renditions][2] == ("running", 2 / 3)
    await theatre.checkpoint(sound, whole)
    assert [told.rendition_id for told in await theatre.hear(events.RENDITION_READY)] == ["a128"]
    await theatre.done(sound, whole)
    for job in chunks:
        made = await theatre.make(job)
        event_id = await theatre.done(job, made)
        await theatre.done(job, made, event_id)
    await theatre.hear(events.MEDIA_READY)
    assert sorted(told.rendition_id for told in theatre.told(events.RENDITION_READY)) == ["a128", "v360", "v720"]


async def test_a_second_attempt_replaces_what_the_first_left_on_the_way(theatre: Theatre) -> None:
    _, (sound, *chunks) = await begin(theatre)
    first = await theatre.make(sound)
    [part] = first.parts
    await theatre.checkpoint(sound, MadeResult(parts=(attrs.evolve(part, segments=part.segments[:1]),)))
    second = await theatre.make(sound, attempt=2)
    for job, result in ((sound, second), *[(job, await theatre.make(job)) for job in chunks]):
        await theatre.done(job, result)
    await theatre.hear(events.MEDIA_READY)
    left = part.segments[0].key

    async def is_gone() -> bool | None:
        await theatre.clock.advance(30)
        return None if await theatre.blobs.exists(left) else True

    await eventually(is_gone, what="the collector")
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session, "a128/0.m4s")).content == theatre.made[left]


@pytest.mark.parametrize(
    ("shape", "renditions", "kind"),
    [({"video": False}, ["a128"], "audio"), ({"audio": False}, ["v720", "v360"], "video")],
)
async def test_sound_alone_and_picture_alone_are_playable(
    theatre: Theatre, shape: dict[str, bool], renditions: list[str], kind: str
) -> None:
    await theatre.play("c_film", **shape)
    assert [each.id for each in (await media(theatre)).renditions] == renditions
    assert theatre.told(events.MEDIA_READY)[0].kind == kind
    session = await theatre.watch("c_film")
    for path in ("master.m3u8", "manifest.mpd", f"{renditions[-1]}/playlist.m3u8", f"{renditions[-1]}/2.m4s"):
        assert (await theatre.fetch(session, path)).status_code == 200


async def test_a_long_plan_is_asked_for_in_messages_that_fit(theatre: Theatre) -> None:
    probe, parts = await begin(theatre, segments=1_600)  # 107 minutes
    assert len(parts) == 801
    assert max(len(orjson.dumps(job.payload)) for job in parts) < 200  # whatever the length of the film
    told = theatre.told(events.JOBS_REQUESTED)
    assert len(told) > 2
    assert max(len(orjson.dumps(each.jobs)) for each in told) < MAX_PAYLOAD_BYTES / 2
    assert {job.root_id for job in parts} == {probe.job_id}


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
