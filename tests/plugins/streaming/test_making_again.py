"""Media that is deleted, taken back, or made anew."""

from __future__ import annotations

import attrs
import pytest

from streamgate.context import Actor
from streamgate.contracts import events
from streamgate.contracts.jobs import JobNotFound
from streamgate.contracts.streaming import STREAMING, NotPlayable, TaskQuery, Transcode
from tests.plugins.streaming.makers import begin, media
from tests.plugins.streaming.theatre import Theatre

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


async def test_no_transcode_passes_by_all_owners(theatre: Theatre) -> None:
    """The first places of the queue are for what somebody who watches waits for."""
    await theatre.play("c_film")
    before = len(theatre.orders())
    await theatre.home.services.get(STREAMING).transcode(attrs.evolve(_transcode(), priority=0))
    [probe] = (await theatre.ordered(before + 1))[before:]
    assert probe.priority == 2


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
