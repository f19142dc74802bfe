"""Media that is deleted, taken back, or made anew."""

from __future__ import annotations

import attrs
import orjson
import pytest

from streamgate.bus.base import MAX_PAYLOAD_BYTES
from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.jobs import JobNotFound
from streamgate.contracts.media import AUDIO_KIND, CHUNK_KIND, PROBE_KIND, MadeResult
from streamgate.contracts.streaming import STREAMING, NotPlayable, TaskQuery, Transcode
from streamgate.testing.wait import eventually
from tests.plugins.streaming.makers import begin, media
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


# --- gone -------------------------------------------------------------------------------------------


async def test_a_deleted_content_is_served_no_more_and_collected(theatre: Theatre) -> None:
    await theatre.play("c_film")
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session, "v360/0.m4s")).status_code == 200
    await theatre.say(events.CONTENT_DELETED, events.ContentDeleted(subject_id="c_film", revision=9, owner="creator"))
    [ended] = await theatre.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (session["session_id"], "deleted")
    for path in ("master.m3u8", "manifest.mpd", "v360/playlist.m3u8", "v360/init.mp4", "v360/0.m4s"):
        assert (await theatre.fetch(session, path)).status_code == 410
    assert (await media(theatre)).state == "none"
    await theatre.collected()


async def test_deleting_in_the_middle_stops_the_work(theatre: Theatre) -> None:
    probe, (sound, *_) = await begin(theatre)
    theatre.jobs.known.add(probe.job_id)
    late = await theatre.make(sound)
    gone = events.ContentDeleted(subject_id="c_film", revision=9, owner="creator")
    await theatre.say(events.CONTENT_DELETED, gone)
    assert theatre.jobs.cancelled == [probe.job_id]
    await theatre.done(sound, late)
    await theatre.say(events.UPLOAD_FINISHED, attrs.evolve(theatre.told(events.UPLOAD_FINISHED)[0], revision=2))
    assert (await media(theatre)).state == "none"
    await theatre.collected()


async def test_a_source_that_is_taken_back_takes_its_media_along(theatre: Theatre) -> None:
    await theatre.play("c_film")
    session = await theatre.watch("c_film")
    assert (await theatre.fetch(session)).status_code == 200
    back = events.UploadFailed(
        subject_id="c_film",
        revision=2,
        upload_id="u_c_film_1",
        content_id="c_film",
        code="upload.digest_mismatch",
        detail="",
    )
    await theatre.say(events.UPLOAD_FAILED, back)
    await theatre.hear(events.SESSION_ENDED)
    assert (await theatre.fetch(session)).status_code == 410
    [failed] = await theatre.hear(events.MEDIA_FAILED)
    assert failed.code == "upload.digest_mismatch"
    with pytest.raises(NotPlayable):
        await theatre.home.services.get(STREAMING).transcode(_transcode())


async def test_an_upload_whose_end_is_heard_before_its_beginning_makes_nothing(theatre: Theatre) -> None:
    back = events.UploadFailed(
        subject_id="c_film", revision=2, upload_id="u_x", content_id="c_film", code="upload.aborted", detail=""
    )
    await theatre.say(events.UPLOAD_FAILED, back)
    finished = events.UploadFinished(
        subject_id="c_film",
        revision=1,
        upload_id="u_x",
        content_id="c_film",
        owner="creator",
        filename="f",
        source_key="sources/x",
        size_bytes=1,
    )
    await theatre.say(events.UPLOAD_FINISHED, finished)
    assert (await media(theatre)).state == "none"


# --- again ------------------------------------------------------------------------------------------


def _transcode(profile: str = "web") -> Transcode:
    actor = Actor(kind="user", user_id="creator")
    return Transcode(content_id="c_film", actor=actor, profile=profile)


async def test_transcoding_needs_a_source(theatre: Theatre) -> None:
    with pytest.raises(NotPlayable):
        await theatre.home.services.get(STREAMING).transcode(_transcode())


async def test_asking_while_it_is_made_gives_the_running_task(theatre: Theatre) -> None:
    probe = await theatre.upload("c_film")
    streaming = theatre.home.services.get(STREAMING)
    assert (await streaming.transcode(_transcode())).task_id == probe.job_id
    other = (await streaming.transcode(_transcode("mobile"))).task_id
    assert other != probe.job_id
    assert (await streaming.media_of_task(TaskQuery(task_id=probe.job_id))).media_version == 1
    assert (await streaming.media_of_task(TaskQuery(task_id=other))).media_version == 2
    with pytest.raises(JobNotFound):
        await streaming.media_of_task(TaskQuery(task_id="nobody"))


async def test_the_old_version_plays_on_until_nobody_watches_it(theatre: Theatre) -> None:
    await theatre.play("c_film")
    old = await theatre.watch("c_film")
    await theatre.home.services.get(STREAMING).transcode(_transcode())
    probe = (await theatre.ordered(5))[4]
    parts = await theatre.planned(probe)
    assert (await theatre.watch("c_film"))["hls_url"] == old["hls_url"]  # the new one is not playable yet
    for job in parts:
        await theatre.done(job, await theatre.make(job))
    await theatre.hear(events.MEDIA_READY, 2)
    for _ in range(3):
        await theatre.collect()
        theatre.clock.jump(61)
    assert (await theatre.fetch(old, "v360/0.m4s")).status_code == 200
    new = await theatre.watch("c_film")
    assert new["hls_url"] != old["hls_url"]
    [ended] = await theatre.hear(events.SESSION_ENDED)
    assert (ended.subject_id, ended.reason) == (old["session_id"], "version_changed")
    assert (await theatre.fetch(old)).status_code == 410
    await theatre.collected(but=("plans/c_film/2/", *(f"jobs/c_film/{job.job_id}/" for job in parts)))
    assert (await theatre.fetch(new, "v360/0.m4s")).status_code == 200


async def test_a_new_version_that_fails_leaves_the_old_one_playing(theatre: Theatre) -> None:
    await theatre.play("c_film")
    await theatre.home.services.get(STREAMING).transcode(_transcode())
    probe = (await theatre.ordered(5))[4]
    await theatre.over(probe, status="dead", error_code="media.corrupt", error_detail="x")
    await theatre.hear(events.MEDIA_FAILED)
    state = await media(theatre)
    assert (state.state, state.playable, state.media_version) == ("failed", True, 2)
    assert (await theatre.fetch(await theatre.watch("c_film"))).status_code == 200
