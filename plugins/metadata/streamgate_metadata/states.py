"""How a content moves from state to state: pure, so that every order of events can be tried.

    draft ─▶ uploading ─▶ processing ─▶ ready
                 │             │  ▲        │
                 └──▶ failed ◀─┘  └────────┘ (another source)          deleted: from anywhere, for good

Events of two producers (upload, streaming) come in any order among each other, so each step asks what the
content already is, not what came before. `failed` means that nothing can be watched: a failure beside
something playable is a warning.
"""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.contracts.events import (
    MediaFailed,
    MediaPlanned,
    MediaPlayable,
    MediaReady,
    UploadFailed,
    UploadFinished,
)
from streamgate.contracts.metadata import ContentState

WARNINGS_MAX = 20


@attrs.frozen(kw_only=True)
class Course:
    """The part of a content that events move. `source_upload_id` is the upload whose bytes were last whole,
    `was_playable` whether something could be watched when the last upload began."""

    state: ContentState = "draft"
    playable: bool = False
    kind: Literal["video", "audio"] = "video"
    duration_s: float = 0.0
    media_version: int = 0
    warnings: tuple[str, ...] = ()
    failure: str = ""
    failure_detail: str = ""
    source_upload_id: str = ""
    was_playable: bool = False


def upload_begins(course: Course) -> Course:
    if course.playable:
        return attrs.evolve(course, was_playable=True)
    return attrs.evolve(course, state="uploading", was_playable=False, failure="", failure_detail="")


def upload_finished(course: Course, event: UploadFinished) -> Course:
    """The bytes are whole. Media events of these very bytes may have come already: then nothing is undone."""
    moved = attrs.evolve(course, source_upload_id=event.upload_id)
    if course.state in ("draft", "uploading"):
        return attrs.evolve(moved, state="processing", failure="", failure_detail="")
    return moved


def upload_failed(course: Course, event: UploadFailed) -> Course:
    """A source will not come (only an unfinished content fails by that), or is taken back."""
    is_taken_back = course.source_upload_id == event.upload_id
    if is_taken_back and not course.was_playable:
        return _failed(course, event.code, event.detail)
    if is_taken_back:
        return _warned(course, event.code, event.detail)
    if course.state == "uploading":
        return _failed(course, event.code, event.detail)
    return course


def media_planned(course: Course, event: MediaPlanned) -> Course:
    if course.playable:
        return course
    return attrs.evolve(
        course, state="processing", duration_s=event.duration_s, kind=event.kind, failure="", failure_detail=""
    )


def media_playable(course: Course, event: MediaPlayable) -> Course:
    if course.playable and event.media_version < course.media_version:
        return course
    is_ready = course.state == "ready" and course.playable
    return attrs.evolve(
        course,
        state="ready" if is_ready else "processing",
        playable=True,
        duration_s=event.duration_s,
        kind=event.kind,
        media_version=event.media_version,
        failure="",
        failure_detail="",
    )


def media_ready(course: Course, event: MediaReady) -> Course:
    if course.playable and event.media_version < course.media_version:
        return course
    return attrs.evolve(
        course,
        state="ready",
        playable=True,
        duration_s=event.duration_s,
        kind=event.kind,
        media_version=event.media_version,
        warnings=event.warnings[:WARNINGS_MAX],
        failure="",
        failure_detail="",
    )


def media_failed(course: Course, event: MediaFailed) -> Course:
    if event.media_version < course.media_version:
        return course
    if course.playable and event.media_version > course.media_version:
        return _warned(course, event.code, event.detail)
    return _failed(course, event.code, event.detail)


def _failed(course: Course, code: str, detail: str) -> Course:
    return attrs.evolve(course, state="failed", playable=False, failure=code, failure_detail=detail)


def _warned(course: Course, code: str, detail: str) -> Course:
    warning = f"{code}: {detail}" if detail else code
    warnings = course.warnings if warning in course.warnings else (*course.warnings, warning)[-WARNINGS_MAX:]
    state: ContentState = "ready" if course.playable else course.state
    return attrs.evolve(course, state=state, warnings=warnings)
