"""How a media version comes to be, step by step, inside one transaction each: source → plan → parts → whole.

    planning ──▶ encoding ──▶ ready           playable: the base and its sound are whole, or the base is the source
        └───────────┴──▶ failed               itself, or nothing older plays and the base is made first and as it is
                                              asked for; failed: nothing of this version can be played

Each step may come twice or late. `revision` of every event is the content's own counter.
"""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.events import (
    MEDIA_FAILED,
    MEDIA_PLANNED,
    MEDIA_PLAYABLE,
    MEDIA_READY,
    RENDITION_READY,
    MediaFailed,
    MediaPlanned,
    MediaPlayable,
    MediaReady,
    RenditionReady,
)
from streamgate.contracts.media import ASKED_KIND, MadePart, MediaPlan
from streamgate.sdk.db import emit
from streamgate.sdk.ids import uuid7
from streamgate.wire import to_plain

from . import garbage
from . import media_repository as repository
from . import session_repository as sessions
from .indexing import index_part, keys_of
from .orders import made_by, next_revision, order_parts, order_plan, segments_made_by, source_of
from .tables import ContentRow, MediaRow, RenditionRow, WorkRow
from .text_repository import keep_found_chapters
from .verify import PartRefused, PlanRefused, base_of, check_part, check_plan, grid_of, main_sound_of

PLAN_INVALID = "media.plan_invalid"
PART_REFUSED = "media.part_refused"
PART_MISSING = "media.part_missing"
CANCELLED = "media.cancelled"
TASK_LOST = "media.task_lost"


def begin_version(
    session: Session,
    content: ContentRow,
    *,
    profile: str,
    policy: str,
    priority: int,
    now_ms: int,
    may_copy: bool = True,
) -> MediaRow:
    """A new media version of the content's newest source, and the job that plans it. `policy`: which rungs are made in
    advance; empty: as the profile says. `may_copy`: whether the source itself may be one of its renditions."""
    content.newest_version += 1
    media = MediaRow(
        content_id=content.content_id,
        media_version=content.newest_version,
        state="planning",
        playable=False,
        kind="video",
        duration_s=0.0,
        root_id=uuid7(),
        upload_id=content.upload_id,
        source_key=content.source_key,
        source_size_bytes=content.source_size_bytes,
        profile=profile,
        policy=policy,
        priority=priority,
        plan=None,
        warnings=[],
        error_code="",
        error_detail="",
        created_at_ms=now_ms,
    )
    session.add(media)
    order_plan(session, content, media, may_copy=may_copy)
    return media


def accept_plan(session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan) -> None:
    """Stores the plan and asks for everything it wants made.

    Raises:
        PlanRefused: it cannot be played.
    """
    check_plan(plan, content_id=media.content_id, media_version=media.media_version, source=source_of(media))
    base = base_of(plan)
    timescale = plan.timescale if base.kind == "video" else base.sample_rate_hz
    media.plan = to_plain(plan)
    media.kind = base.kind
    media.duration_s = grid_of(plan, base)[-1] / timescale
    media.warnings = list(plan.warnings)
    media.state = "encoding"
    for rendition in plan.renditions:
        session.add(
            RenditionRow(
                content_id=media.content_id,
                media_version=media.media_version,
                rendition_id=rendition.id,
                status="planned",
                segments_planned=len(grid_of(plan, rendition)) - 1,
                segments_made=0,
                made_bytes=0,
                init_key="",
                init_sha256="",
                init_size_bytes=0,
            )
        )
    keep_found_chapters(session, plan)
    emit(
        session,
        MEDIA_PLANNED,
        MediaPlanned(
            subject_id=content.content_id,
            revision=next_revision(content),
            media_version=media.media_version,
            duration_s=media.duration_s,
            kind=base.kind,
        ),
    )
    order_parts(session, content, media, plan)


def accept_parts(
    session: Session, content: ContentRow, media: MediaRow, parts: Sequence[MadePart], *, is_final: bool, now_ms: int
) -> None:
    """Takes verified segments into the index. What a job says at its end replaces what it said on the way.

    A part that is not what was planned fails its rendition when it is final, else it is left for the end. What comes of
    one that has failed is kept: it may be made again.
    """
    plan = repository.plan_of(media)
    if plan is None:
        return
    rows = repository.renditions_of(session, media)
    for part in parts:
        row = rows.get(part.rendition_id)
        if row is None:
            continue
        is_right = True
        try:
            check_part(plan, part, init_sha256=row.init_sha256)
        except PartRefused as fault:
            is_right = False
            if not is_final:
                logger.bind(content_id=media.content_id, fault=str(fault)).warning("checkpoint left out")
                continue
            if row.status not in ("ready", "failed"):
                fail_rendition(media, row, PART_REFUSED, str(fault))
        if row.status == "ready" or not is_right:
            if is_final:
                garbage.throw_away(session, keys_of(part), now_ms)
            continue
        has_failed = row.status == "failed"
        index_part(session, row, part, is_final=is_final, now_ms=now_ms)
        row.status = "failed" if has_failed else "running"
        if row.status == "running":
            note_whole(session, content, media, row)


def note_whole(session: Session, content: ContentRow, media: MediaRow, row: RenditionRow) -> None:
    """Says so where all of a rendition is there."""
    if row.segments_made < row.segments_planned:
        return
    row.status = "ready"
    media.warnings = without_its(media, row)
    body = RenditionReady(
        subject_id=content.content_id,
        revision=next_revision(content),
        media_version=media.media_version,
        rendition_id=row.rendition_id,
    )
    emit(session, RENDITION_READY, body)


def accept_end(session: Session, media: MediaRow, work: WorkRow, code: str, detail: str) -> None:
    """A job is over: whatever it should have made and is not there fails, with the job's fault or as missing. What was
    made for those who watch is asked for again, unless it cannot be made."""
    plan = repository.plan_of(media)
    if plan is None or (work.kind == ASKED_KIND and code in ("", CANCELLED, TASK_LOST)):
        return
    rows = repository.renditions_of(session, media)
    for rendition in made_by(plan, work):
        row = rows[rendition.id]
        if row.status in ("ready", "failed"):
            continue
        wanted = segments_made_by(plan, work, row.segments_planned)
        missing = set(wanted) - set(repository.segments_of(session, row, wanted))
        if missing:
            fault = (code, detail) if code else (PART_MISSING, f"segment {min(missing)} was not made")
            fail_rendition(media, row, *fault)


def fail_rendition(media: MediaRow, row: RenditionRow, code: str, detail: str) -> None:
    row.status = "failed"
    media.warnings = [*without_its(media, row), f"{row.rendition_id}: {code}: {detail}"]
    if not media.error_code and media.state != "ready":
        media.error_code, media.error_detail = code, detail


def without_its(media: MediaRow, row: RenditionRow) -> list[str]:
    """The warnings that are not of this rendition's failure."""
    return [warning for warning in media.warnings if not warning.startswith(f"{row.rendition_id}: ")]


def tell_again(session: Session, content: ContentRow, media: MediaRow) -> None:
    """What is ready is ready still, with other warnings: of a rendition that was made again, or of one that could not
    be made when somebody asked."""
    if (repository.active_version(session, media.content_id) or 0) <= media.media_version:
        _say_ready(session, content, media)


def _say_ready(session: Session, content: ContentRow, media: MediaRow) -> None:
    ready = MediaReady(
        subject_id=content.content_id,
        revision=next_revision(content),
        media_version=media.media_version,
        duration_s=media.duration_s,
        kind="audio" if media.kind == "audio" else "video",
        warnings=tuple(media.warnings),
    )
    emit(session, MEDIA_READY, ready)


def settle(session: Session, content: ContentRow, media: MediaRow, *, now_ms: int) -> None:
    """Draws the conclusion from the renditions as they are: playable, ready, failed, or not yet.

    A version below one that plays already says nothing more: it would look like a step back.
    """
    plan = repository.plan_of(media)
    if plan is None or media.state != "encoding":
        return
    session.flush()
    status = repository.rendition_statuses(repository.renditions_of(session, media))
    if status[base_of(plan).id] == "failed":
        if base_of(plan).mode == "copy" and media.error_code != CANCELLED and _is_newest(content, media):
            _encode_instead(session, content, media, now_ms)
        else:
            fail_version(session, content, media, media.error_code, media.error_detail, now_ms=now_ms)
            sessions.end_all_of(session, media.content_id, "withdrawn", now_ms, media_version=media.media_version)
        return
    eager = [rendition for rendition in plan.renditions if rendition.policy == "eager"]
    main_sound = main_sound_of(plan)
    is_sound_settled = main_sound is None or status[main_sound.id] in ("ready", "failed")
    is_whole = status[base_of(plan).id] == "ready" and is_sound_settled
    newest_playable = repository.active_version(session, media.content_id) or 0
    is_promised = base_of(plan).mode == "copy" or (plan.base_first and not newest_playable)
    is_playable = is_whole or is_promised
    is_ready = is_whole and all(status[each.id] in ("ready", "failed") for each in eager)
    is_told = newest_playable <= media.media_version
    kind = base_of(plan).kind
    if is_playable and not media.playable:
        media.playable = True
        if is_told:
            playable = MediaPlayable(
                subject_id=content.content_id,
                revision=next_revision(content),
                media_version=media.media_version,
                duration_s=media.duration_s,
                kind=kind,
            )
            emit(session, MEDIA_PLAYABLE, playable)
    if is_ready:
        media.state = "ready"
        media.error_code = media.error_detail = ""
        if is_told:
            _say_ready(session, content, media)


def _is_newest(content: ContentRow, media: MediaRow) -> bool:
    return (content.newest_version, content.source_key) == (media.media_version, media.source_key)


def _encode_instead(session: Session, content: ContentRow, media: MediaRow, now_ms: int) -> None:
    """The source cannot be played as it is after all: another version follows in which everything is encoded. Who
    watches this one is told to begin again."""
    about = {"content_id": media.content_id, "media_version": media.media_version, "code": media.error_code}
    logger.bind(**about, detail=media.error_detail).warning("source cannot be cut, and is encoded instead")
    _discard(session, media, now_ms)
    sessions.end_all_of(session, media.content_id, "version_changed", now_ms, media_version=media.media_version)
    begin_version(
        session,
        content,
        profile=media.profile,
        policy=media.policy,
        priority=media.priority,
        now_ms=now_ms,
        may_copy=False,
    )


def _discard(session: Session, media: MediaRow, now_ms: int) -> None:
    media.state, media.playable = "failed", False
    for row in repository.renditions_of(session, media).values():
        row.status = "failed"
    garbage.throw_away_made(session, media, now_ms)


def fail_version(
    session: Session, content: ContentRow, media: MediaRow, code: str, detail: str, *, now_ms: int
) -> None:
    """Nothing of it can be played, now or later; what was made of it is garbage. Said where nothing older plays in
    its place, or the creator waits for it."""
    was_playable = media.playable
    media.error_code, media.error_detail = code, detail
    _discard(session, media, now_ms)
    if was_playable and repository.active_version(session, media.content_id) is not None:
        return
    failed = MediaFailed(
        subject_id=content.content_id,
        revision=next_revision(content),
        media_version=media.media_version,
        code=code,
        detail=detail,
    )
    emit(session, MEDIA_FAILED, failed)


def try_plan(
    session: Session,
    content: ContentRow,
    media: MediaRow,
    plan: MediaPlan,
    parts: Sequence[MadePart],
    *,
    now_ms: int,
) -> None:
    """`accept_plan`, with what was made of it already, or the end of the version."""
    try:
        accept_plan(session, content, media, plan)
    except PlanRefused as fault:
        fail_version(session, content, media, PLAN_INVALID, str(fault), now_ms=now_ms)
        return
    accept_parts(session, content, media, parts, is_final=False, now_ms=now_ms)
    settle(session, content, media, now_ms=now_ms)
