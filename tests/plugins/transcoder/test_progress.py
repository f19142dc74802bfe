"""How far a transcode is never falls: through retries, jobs that come later, cancelling, and the queue's forgetting."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.jobs import Job, Task
from streamgate.contracts.streaming import MediaState, RenditionState
from streamgate_transcoder.transcodes import describe, progress_of, without_jobs

NOON_S = 1_893_456_000.0  # 2030-01-01T00:00:00Z


def job(job_id: str = "t_1", **facts: Any) -> Job:
    given: dict[str, Any] = {
        "root_id": "t_1",
        "kind": "media.probe",
        "status": "done",
        "owner": "u_alice",
        "subject_id": "c_1",
        "progress": 1.0,
        "stage": "",
        "attempts": 1,
        "max_attempts": 3,
        "created_at": "2029-12-31T23:59:50Z",
        "started_at": "2029-12-31T23:59:50Z",
        **facts,
    }
    return Job(job_id=job_id, **given)


def task_of(*jobs: Job) -> Task:
    return Task(root=job(), jobs=(job(), *jobs), status="running", progress=0.0)


def rendition(name: str, progress: float, *, width_px: int = 0, height_px: int = 0) -> RenditionState:
    return RenditionState(
        id=name,
        name=name,
        kind="video" if width_px else "audio",
        width_px=width_px,
        height_px=height_px,
        codec="",
        bitrate_bps=0,
        status="running",
        progress=progress,
    )


def media(*, video: float, sound: float = 1.0) -> MediaState:
    return MediaState(
        content_id="c_1",
        media_version=1,
        state="encoding",
        playable=False,
        duration_s=60.0,
        root_id="t_1",
        renditions=(
            rendition("v720", video, width_px=1280, height_px=720),
            rendition("v360", video, width_px=640, height_px=360),
            rendition("a128", sound),
        ),
    )


def test_an_attempt_that_was_lost_takes_nothing_back() -> None:
    before = job("j_2", status="running", progress=0.6)
    waits = attrs.evolve(before, status="queued")
    again = attrs.evolve(before, attempts=2, progress=0.0)
    half = media(video=0.5)
    told = [describe(task_of(at), half, NOON_S).progress for at in (before, waits, again)]
    assert told[0] == told[1] == told[2] > 0


def test_two_chunks_in_turn_on_their_second_attempt() -> None:
    """`attempts` stands still while the second of them begins anew."""
    first = job("j_2", status="running", attempts=2, progress=0.4)
    second = job("j_3", status="running", progress=0.9)
    told = [
        describe(task_of(first, at), media(video=0.6), NOON_S)
        for at in (second, attrs.evolve(second, attempts=2, progress=0.0))
    ]
    assert told[0].attempts == told[1].attempts
    assert told[0].progress == told[1].progress


def test_jobs_of_a_long_video_that_the_queue_hears_of_later_take_nothing_back() -> None:
    heard = [job(f"j_{number}", status="done") for number in range(2)]
    later = [job(f"k_{number}", status="queued", progress=0.0, started_at=None) for number in range(8)]
    made = media(video=0.2)
    assert describe(task_of(*heard), made, NOON_S).progress == describe(task_of(*heard, *later), made, NOON_S).progress


def test_what_is_cancelled_or_has_failed_stays_where_it_was() -> None:
    made = media(video=0.5)
    running = describe(task_of(job("j_2", status="running", progress=0.7)), made, NOON_S)
    for status in ("cancelled", "failed", "dead"):
        ended = attrs.evolve(task_of(job("j_2", status=status, progress=0.7)), status=status)
        for state in ("encoding", "failed"):
            assert describe(ended, attrs.evolve(made, state=state), NOON_S).progress == running.progress


def test_what_worker_does_not_know_any_more_is_as_far_as_its_media_is() -> None:
    made = media(video=0.5)
    assert without_jobs("t_1", attrs.evolve(made, state="failed")).progress == progress_of(made) > 0
    assert without_jobs("t_1", made).progress == progress_of(made)


def test_sound_that_is_whole_is_not_half_of_the_work() -> None:
    assert 0 < progress_of(media(video=0.0)) < 0.1
    only_sound = attrs.evolve(media(video=0.0), renditions=(rendition("a128", 0.25),))
    assert progress_of(only_sound) == 0.25
    assert progress_of(attrs.evolve(only_sound, renditions=())) == 0.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=8))
def test_more_that_is_made_is_never_less_progress(steps: list[tuple[float, float]]) -> None:
    """Whatever the jobs say meanwhile."""
    videos, sounds = (sorted(each) for each in zip(*steps, strict=True))
    told = [progress_of(media(video=video, sound=sound)) for video, sound in zip(videos, sounds, strict=True)]
    assert told == sorted(told)
    assert all(0 <= each <= 1 for each in told)


@pytest.mark.parametrize(("state", "expected"), [("encoding", 0.999), ("ready", 1.0)])
def test_it_is_whole_once_the_media_says_so(state: Any, expected: float) -> None:
    done = attrs.evolve(task_of(job("j_2")), status="done")
    assert describe(done, attrs.evolve(media(video=1.0), state=state), NOON_S).progress == expected
