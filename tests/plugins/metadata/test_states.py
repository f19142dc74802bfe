"""States of a content: every order of two producers' events ends where it should."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from streamgate.contracts.events import (
    MediaFailed,
    MediaPlanned,
    MediaPlayable,
    MediaReady,
    UploadFailed,
    UploadFinished,
)
from streamgate_metadata.states import (
    Course,
    media_failed,
    media_planned,
    media_playable,
    media_ready,
    upload_begins,
    upload_failed,
    upload_finished,
)

Step = Callable[[Course], Course]


def finished(upload: str = "u_1") -> Step:
    event = UploadFinished(
        subject_id="c_1",
        revision=1,
        upload_id=upload,
        content_id="c_1",
        owner="o",
        filename="f",
        source_key="k",
        size_bytes=1,
    )
    return lambda course: upload_finished(course, event)


def broken(upload: str = "u_1", code: str = "upload.digest_mismatch") -> Step:
    event = UploadFailed(subject_id="c_1", revision=2, upload_id=upload, content_id="c_1", code=code, detail="why")
    return lambda course: upload_failed(course, event)


def planned(version: int = 1) -> Step:
    event = MediaPlanned(subject_id="c_1", revision=1, media_version=version, duration_s=60.0, kind="video")
    return lambda course: media_planned(course, event)


def playable(version: int = 1) -> Step:
    event = MediaPlayable(subject_id="c_1", revision=2, media_version=version, duration_s=60.5, kind="video")
    return lambda course: media_playable(course, event)


def ready(version: int = 1) -> Step:
    event = MediaReady(
        subject_id="c_1", revision=3, media_version=version, duration_s=61.0, kind="video", warnings=("cut short",)
    )
    return lambda course: media_ready(course, event)


def failed(version: int = 1, code: str = "media.no_playable_track") -> Step:
    event = MediaFailed(subject_id="c_1", revision=4, media_version=version, code=code, detail="no track")
    return lambda course: media_failed(course, event)


def run(*steps: Step, course: Course | None = None) -> Course:
    course = course or Course()
    for step in steps:
        course = step(course)
    return course


def test_the_whole_road() -> None:
    course = Course()
    states = []
    for step in (upload_begins, finished(), planned(), playable(), ready()):
        course = step(course)
        states.append((course.state, course.playable))
    assert states == [
        ("uploading", False),
        ("processing", False),
        ("processing", False),
        ("processing", True),
        ("ready", True),
    ]
    assert (course.duration_s, course.media_version, course.warnings) == (61.0, 1, ("cut short",))


@pytest.mark.parametrize("at", range(4))
def test_upload_finished_may_come_late(at: int) -> None:
    media = [planned(), playable(), ready()]
    media.insert(at, finished())
    assert run(upload_begins, *media).state == "ready"


def test_a_failure_is_not_undone_by_a_late_upload_finished() -> None:
    assert run(upload_begins, failed(), finished()).state == "failed"


def test_failed_keeps_code_and_detail() -> None:
    course = run(upload_begins, finished(), failed())
    assert (course.state, course.playable) == ("failed", False)
    assert (course.failure, course.failure_detail) == ("media.no_playable_track", "no track")


def test_a_failing_second_version_leaves_the_first_with_a_warning() -> None:
    first = run(upload_begins, finished(), playable(), ready())
    course = run(upload_begins, finished("u_2"), failed(2), course=first)
    assert (course.state, course.playable, course.media_version) == ("ready", True, 1)
    assert course.warnings == ("cut short", "media.no_playable_track: no track")


def test_events_of_an_older_version_change_nothing() -> None:
    course = run(upload_begins, finished(), playable(2), ready(2))
    for step in (playable(1), ready(1), failed(1)):
        assert step(course) == course


def test_an_older_version_may_play_again_when_the_newer_one_failed() -> None:
    course = run(upload_begins, finished(), playable(2), failed(2), playable(1))
    assert (course.state, course.playable, course.media_version, course.failure) == ("processing", True, 1, "")


def test_a_digest_mismatch_takes_the_content_back() -> None:
    course = run(upload_begins, finished(), playable(), ready(), broken())
    assert (course.state, course.playable, course.failure) == ("failed", False, "upload.digest_mismatch")


def test_a_mismatch_of_a_second_source_leaves_the_first_playable() -> None:
    first = run(upload_begins, finished(), playable(), ready())
    course = run(upload_begins, finished("u_2"), broken("u_2"), course=first)
    assert (course.state, course.playable) == ("ready", True)


def test_an_upload_that_never_finished_fails_only_an_unfinished_content() -> None:
    assert run(upload_begins, broken(code="upload.aborted")).state == "failed"
    done = run(upload_begins, finished("u_2"), playable(), ready())
    assert broken("u_1", "upload.expired")(done) == done


def test_a_new_upload_mends_a_failed_content() -> None:
    course = run(upload_begins, finished(), failed(), upload_begins, finished("u_2"), playable(2), ready(2))
    assert (course.state, course.failure) == ("ready", "")


def test_repeating_any_step_changes_nothing() -> None:
    steps = (upload_begins, finished(), planned(), playable(), ready(), broken())
    course = Course()
    for step in steps:
        course = step(course)
        assert step(course) == course


def test_upload_and_media_events_meet_in_any_order_with_one_end() -> None:
    media = (planned(), playable(), ready())
    ends = set()
    for order in itertools.permutations(range(4)):
        in_order = [m for m in order if m != 3]
        if in_order != sorted(in_order):
            continue  # one producer's events keep their order by their revision
        steps = [finished() if n == 3 else media[n] for n in order]
        course = run(upload_begins, *steps)
        ends.add((course.state, course.playable))
    assert ends == {("ready", True)}
