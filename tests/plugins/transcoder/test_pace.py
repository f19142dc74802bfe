"""How fast a making is, and how long it still takes: from counts alone."""

from __future__ import annotations

import pytest

from streamgate.contracts.media import MediaPlan, MediaSource, PlannedRendition
from streamgate.contracts.transcode import Step
from streamgate_transcoder.progress import Pace, Rate, Tracker, pace, slowest


def plan() -> MediaPlan:
    return MediaPlan(
        content_id="c_1",
        media_version=1,
        source=MediaSource(key="s", size_bytes=1),
        timescale=1000,
        duration_ticks=40_000,
        frames=1000,
        video_grid=(0, 20_000, 40_000),
        audio_grid=(0, 1024 * 900, 1024 * 1800),
        target_duration_s=20,
        renditions=(
            PlannedRendition(id="v720", kind="video", mode="encode", width_px=1280, height_px=720),
            PlannedRendition(id="v360", kind="video", mode="encode", width_px=640, height_px=360),
            PlannedRendition(id="a128", kind="audio", mode="encode"),
        ),
    )


def step(job_id: str, frames: int, *renditions: str) -> Step:
    return Step(job_id=job_id, content_id="c_1", owner="", frames=dict.fromkeys(renditions, frames))


def test_a_rate_is_that_of_the_last_seconds() -> None:
    rate = Rate()
    assert rate.per_s() is None
    for second in range(30):
        rate.note(second, 100 * second if second < 15 else 1500 + 10 * (second - 15))
    assert rate.per_s() == pytest.approx(10, abs=0.5)


def test_a_rate_stands_at_nothing_and_begins_anew_where_an_attempt_is_lost() -> None:
    rate = Rate()
    for second in range(20):
        rate.note(second, 100)
    assert rate.per_s() is None
    rate.note(20, 40)
    rate.note(21, 45)
    assert rate.per_s() == 5


def test_looks_in_quick_succession_are_one_look() -> None:
    rate = Rate()
    rate.note(0.0, 0)
    rate.note(0.01, 1)
    assert rate.per_s() is None


def test_pace_says_frames_speed_and_time_left() -> None:
    assert pace(250, 1000, 40.0, 50.0) == Pace(frames=250, frames_planned=1000, fps=50.0, speed=2.0, eta_s=15.0)
    assert pace(250, 1000, 40.0, None) == Pace(frames=250, frames_planned=1000)
    assert pace(1003, 1000, 40.0, None) == Pace(frames=1000, frames_planned=1000, eta_s=0.0)


def test_a_whole_is_as_far_as_its_slowest() -> None:
    quick, slow = pace(900, 1000, 40.0, 90.0), pace(100, 1000, 40.0, 10.0)
    assert slowest([quick, slow]) == slow
    assert slowest([quick, pace(100, 1000, 40.0, None)]).eta_s is None


def test_jobs_add_up_and_a_lost_attempt_is_taken_off() -> None:
    tracker = Tracker(plan())
    assert tracker.share(tracker.paces(0.0)) == 0
    tracker.note(step("chunk0", 300, "v720", "v360"))
    tracker.note(step("chunk1", 200, "v720", "v360"))
    tracker.note(step("a", 1800, "a128"))
    paces = tracker.paces(10.0)
    assert paces["v720"] == Pace(frames=500, frames_planned=1000, fps=50.0, speed=2.0, eta_s=10.0)
    assert paces["a128"].is_whole
    assert tracker.whole(paces) == paces["v720"], "sound that is done says nothing of the picture"
    assert tracker.share(paces) == pytest.approx(0.517, abs=0.001)
    tracker.forget("chunk1")
    assert tracker.paces(11.0)["v360"].frames == 300
