"""How a task and what is made of it are told as one transcode: status, progress, speed and time left."""

from __future__ import annotations

import attrs
import pytest

from streamgate.contracts.jobs import (
    Job,
    Task,
)
from streamgate.contracts.streaming import (
    RenditionStatus,
)
from streamgate_transcoder.transcodes import describe, without_jobs
from tests.plugins.transcoder.stand_ins import MEDIA, NOON_S, PLANNING, RENDITION, RUNNING, job


def paused(task: Task) -> Task:
    return attrs.evolve(task, status="paused", is_paused=True)


def test_what_is_paused_has_no_time_left_and_pauses_are_not_work() -> None:
    """20 s went by, of which it was paused for 10: 40 % of a minute in 10 s is 2.4 times as fast as it is watched."""
    at_s = NOON_S + 20.0
    assert describe(paused(RUNNING), MEDIA, at_s).eta_s is None
    later = attrs.evolve(RUNNING, paused_s=10.0, jobs=(job(), attrs.evolve(RUNNING.jobs[1], progress=0.0)))
    assert describe(later, MEDIA, at_s).speed == 2.4
    between = attrs.evolve(RUNNING, status="done", is_paused=True, jobs=(job(),))
    assert describe(between, PLANNING, at_s).status == "paused", "its plan is made, and nothing else begins"


def test_what_failed_is_not_the_end_while_others_go_on() -> None:
    died = attrs.evolve(RUNNING, status="dead", jobs=(*RUNNING.jobs, job(job_id="j_3", status="dead")))
    assert describe(died, MEDIA, NOON_S).status == "running"
    over = attrs.evolve(died, jobs=died.jobs[::2])
    assert describe(over, MEDIA, NOON_S).status == "dead"
    ends: dict[RenditionStatus, str] = {"failed": "dead", "running": "running", "ready": "done"}
    for status, expected in ends.items():
        made_again = attrs.evolve(MEDIA, state="ready", renditions=(attrs.evolve(RENDITION, status=status),))
        told = describe(over, made_again, NOON_S)
        assert (told.status, told.error) == (expected, ""), status
        put_aside = attrs.evolve(over, status="cancelled", jobs=(job(), job(job_id="j_3", status="cancelled")))
        expected = "cancelled" if status == "failed" else expected
        assert describe(put_aside, made_again, NOON_S).status == expected, "one dead letter is not the whole"
        assert describe(attrs.evolve(put_aside, is_cancelled=True), made_again, NOON_S).status == "cancelled"


def test_what_is_made_when_somebody_asks_counts_for_nothing_in_how_far_it_is() -> None:
    lazy = attrs.evolve(RENDITION, id="v720", width_px=1280, height_px=720, policy="lazy", progress=0.1, frames=9)
    told = describe(RUNNING, attrs.evolve(MEDIA, renditions=(lazy, RENDITION)), NOON_S + 10)
    assert (told.progress, told.frames, told.frames_planned) == (0.4, 600, 1500)
    assert [each.policy for each in told.renditions] == ["lazy", "eager"]


def test_speed_and_time_left_are_estimated_from_what_is_at_work_too() -> None:
    told = describe(RUNNING, MEDIA, NOON_S + 10)
    assert (told.progress, told.speed, told.eta_s) == (0.4, 3.6, 6.7)
    again = attrs.evolve(RUNNING.jobs[1], progress=0.0)  # another attempt
    told = describe(attrs.evolve(RUNNING, jobs=(RUNNING.root, again)), MEDIA, NOON_S + 10)
    assert (told.progress, told.speed, told.eta_s) == (0.4, 2.4, 15.0)
    sound = job(job_id="j_3", kind="media.encode_audio")
    chunk = attrs.evolve(RUNNING.jobs[1], kind="media.encode_chunk", progress=0.5)
    told = describe(attrs.evolve(RUNNING, jobs=(RUNNING.root, sound, chunk)), MEDIA, NOON_S + 10)
    assert (told.progress, told.speed, told.eta_s) == (0.4, 3.0, 10.0)


def test_what_is_made_again_the_day_after_did_not_take_a_day() -> None:
    """2 s went by on the first day, and 8 on the next."""
    next_day = "2030-01-02T00:00:00Z"
    again = attrs.evolve(RUNNING.jobs[1], created_at=next_day, started_at=next_day, progress=0.0)
    died = attrs.evolve(RUNNING, status="dead", jobs=(job(), job(job_id="j_3", status="dead", progress=0.0), again))
    told = describe(died, MEDIA, NOON_S + 86_400 + 8)
    assert (told.status, told.speed, told.eta_s) == ("running", 2.4, 15.0)


def test_what_has_not_begun_has_no_speed() -> None:
    waiting = job(status="queued", started_at=None, finished_at=None, progress=0.0, attempts=0)
    told = describe(Task(root=waiting, jobs=(waiting,), status="queued", progress=0.0), PLANNING, NOON_S)
    assert (told.speed, told.eta_s, told.stage, told.attempts) == (None, None, "queued", 0)
    assert without_jobs("t_1", PLANNING) == told


def test_what_worker_has_forgotten_long_ago_is_as_its_media_is() -> None:
    made = without_jobs("t_1", attrs.evolve(MEDIA, state="ready"))
    assert (made.status, made.progress, made.stage) == ("done", 1.0, "done")
    failed = without_jobs("t_1", attrs.evolve(MEDIA, state="failed", error_code="media.corrupt"))
    assert (failed.status, failed.error) == ("failed", "media.corrupt")


def test_what_failed_names_its_code_and_stops_the_clock() -> None:
    failed = job(job_id="j_2", status="failed", error_code="media.corrupt", progress=0.5)
    told = describe(Task(root=job(), jobs=(job(), failed), status="failed", progress=0.75), MEDIA, NOON_S + 1000)
    assert (told.error, told.progress, told.speed, told.eta_s) == ("media.corrupt", 0.4, 15.0, None)


def test_what_is_done_and_taken_in_has_no_time_left() -> None:
    done = Task(root=job(), jobs=(job(), job(job_id="j_2")), status="done", progress=1.0)
    told = describe(done, attrs.evolve(MEDIA, state="ready"), NOON_S + 1000)
    assert (told.status, told.progress, told.speed, told.eta_s) == ("done", 1.0, 30.0, 0.0)


@pytest.mark.parametrize("jobs", [(job(),), (job(), job(job_id="j_2"))], ids=["probed", "encoded"])
def test_between_a_jobs_end_and_what_follows_the_task_still_runs(jobs: tuple[Job, ...]) -> None:
    """Streaming has not taken the result in yet: the next jobs are to come, or the renditions to be listed."""
    told = describe(Task(root=job(), jobs=jobs, status="done", progress=1.0), MEDIA, NOON_S + 3)
    assert (told.status, told.stage) == ("running", "running")
    assert told.progress < 1
