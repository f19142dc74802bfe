"""Jobs that a media version needs: asked for by the outbox, in the transaction that wants them, and remembered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, cast

import attrs
import orjson
from sqlalchemy.orm import Session

from streamgate.contracts.captions import CAPTIONS_KIND, CaptionsPayload
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.contracts.media import (
    ASKED_KIND,
    ASKED_SEGMENTS,
    AUDIO_KIND,
    CHUNK_KIND,
    COPY_KIND,
    PROBE_KIND,
    AudioPayload,
    ChunkPayload,
    CopyPayload,
    MediaPlan,
    MediaSource,
    PlannedRendition,
    ProbePayload,
)
from streamgate.contracts.pictures import PICTURES_KIND, POSTER_KIND, PicturesPayload, PosterPayload
from streamgate.sdk.db import emit
from streamgate.sdk.ids import uuid7
from streamgate.sdk.jobs import in_trace
from streamgate.wire import to_plain

from .plans import copies_prefix, plan_blob
from .tables import ContentRow, MediaRow, WorkRow

BESIDE_KINDS = frozenset({PICTURES_KIND, POSTER_KIND, CAPTIONS_KIND})
"""Of jobs that no media version waits for."""
FIRST = 2
"""The best that an owner's transcode has: what is before is for what somebody waits for, and passes by all owners."""
LAST = 9
"""The priority of what may wait for everything else."""

_EVENT_BYTES = 262_144
"""Jobs of one `jobs.requested` at most: a message has its limit."""


COPY_SEGMENTS = 300
"""Of one job that copies, about 20 minutes: what it tells of them must fit into a message."""


@attrs.frozen(kw_only=True)
class Order:
    job: NewJob
    chunk_n: int | None = None
    rendition_id: str = ""


def next_revision(content: ContentRow) -> int:
    """For the next event about a content: one counter over all its versions."""
    content.revision += 1
    return content.revision


def source_of(media: MediaRow) -> MediaSource:
    return MediaSource(key=media.source_key, size_bytes=media.source_size_bytes)


def order_plan(session: Session, content: ContentRow, media: MediaRow, *, may_copy: bool) -> None:
    """Asks for the probe; its job is the root of all others. `may_copy`: whether the source itself may be played."""
    payload = ProbePayload(
        content_id=media.content_id,
        media_version=media.media_version,
        source=source_of(media),
        profile=media.profile,
        policy=cast(Literal["", "eager", "lazy"], media.policy),
        copies_prefix=copies_prefix(media.content_id, media.media_version) if may_copy else "",
    )
    probe = job_of(content, media, PROBE_KIND, to_plain(payload), "probe", job_id=media.root_id)
    request(session, content, [Order(job=probe)], media_version=media.media_version)


def order_parts(session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan) -> None:
    """Asks for everything eager: what is copied first, for it plays already, then sound, without which nothing else
    does, then the picture that may be watched while it is made. The plan's blob must be there."""
    request(session, content, _children(content, media, plan), media_version=media.media_version)


def order_pictures(session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan) -> None:
    """Asks for poster and storyboard, last of all; a task of its own, so that the media are done without it."""
    payload = PicturesPayload(
        content_id=media.content_id,
        media_version=media.media_version,
        plan_key=plan_blob(media.content_id, media.media_version, plan).key,
    )
    job = job_of(content, media, PICTURES_KIND, to_plain(payload), "pictures")
    request(session, content, [Order(job=attrs.evolve(job, priority=LAST))], media_version=media.media_version)


def order_poster(session: Session, content: ContentRow, source: MediaSource, job_id: str) -> None:
    """Asks for a poster of a creator's own picture: somebody waits for it."""
    payload = PosterPayload(content_id=content.content_id, source=source)
    job = NewJob(
        kind=POSTER_KIND,
        payload=to_plain(payload),
        idempotency_key=f"poster:{job_id}",
        job_id=job_id,
        owner=content.owner,
        subject_id=content.content_id,
    )
    request(session, content, [Order(job=job)], media_version=0)


def order_captions(session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan) -> None:
    """Asks for the captions that the source holds, if it does; a task of its own, as pictures are."""
    if not plan.captions:
        return
    payload = CaptionsPayload(
        content_id=media.content_id,
        media_version=media.media_version,
        plan_key=plan_blob(media.content_id, media.media_version, plan).key,
    )
    job = job_of(content, media, CAPTIONS_KIND, to_plain(payload), "captions")
    request(session, content, [Order(job=job)], media_version=media.media_version)


def made_by(plan: MediaPlan, work: WorkRow) -> list[PlannedRendition]:
    """What a job is for: a chunk is encoded in all eager pictures at once, unless it is for one, or for those that a
    base of its own jobs leaves."""
    if work.rendition_id:
        return [each for each in plan.renditions if each.id == work.rendition_id]
    if work.kind == COPY_KIND:
        return [each for each in plan.renditions if each.mode == "copy"]
    return _together(plan)


def _together(plan: MediaPlan) -> list[PlannedRendition]:
    """The eager pictures of which one job encodes a chunk."""
    encoded = [each for each in plan.renditions if (each.kind, each.mode, each.policy) == ("video", "encode", "eager")]
    return [each for each in encoded if not (each.base and plan.base_first)]


def segments_made_by(plan: MediaPlan, work: WorkRow, segments: int) -> range:
    """Which of a rendition's segments a job makes. `segments`: how many the rendition has."""
    if work.kind == COPY_KIND and work.chunk_n is not None:
        return range(work.chunk_n * COPY_SEGMENTS, min((work.chunk_n + 1) * COPY_SEGMENTS, segments))
    if work.kind == ASKED_KIND and work.chunk_n is not None:
        return range(work.chunk_n * ASKED_SEGMENTS, min((work.chunk_n + 1) * ASKED_SEGMENTS, segments))
    if work.chunk_n is not None:
        return range(plan.chunks[work.chunk_n].seg_from, plan.chunks[work.chunk_n].seg_to)
    return range(segments)


def job_of(
    content: ContentRow,
    media: MediaRow,
    kind: str,
    payload: dict[str, object],
    name: str,
    *,
    job_id: str = "",
    root_id: str = "",
) -> NewJob:
    return NewJob(
        kind=kind,
        payload=payload,
        idempotency_key=f"media:{media.content_id}:{media.media_version}:{name}",
        job_id=job_id or uuid7(),
        owner=content.owner,
        subject_id=content.content_id,
        root_id=root_id,
        priority=max(media.priority, FIRST),
    )


def of_plan(media: MediaRow, plan: MediaPlan) -> dict[str, Any]:
    """What every payload says of the plan that it is of."""
    return {
        "content_id": media.content_id,
        "media_version": media.media_version,
        "plan_key": plan_blob(media.content_id, media.media_version, plan).key,
    }


def copy_of(naming: dict[str, Any], plan: MediaPlan, span: int) -> CopyPayload:
    """The copying of number `span`. `naming`: see `of_plan`."""
    first = span * COPY_SEGMENTS
    return CopyPayload(**naming, seg_from=first, seg_to=min(first + COPY_SEGMENTS, len(plan.video_grid) - 1))


def _children(content: ContentRow, media: MediaRow, plan: MediaPlan) -> Iterable[Order]:
    naming = of_plan(media, plan)
    segments = len(plan.video_grid) - 1 if any(each.mode == "copy" for each in plan.renditions) else 0
    for span in range(-(-segments // COPY_SEGMENTS)):
        copy = to_plain(copy_of(naming, plan, span))
        job = job_of(content, media, COPY_KIND, copy, f"copy:{span}", root_id=media.root_id)
        yield Order(job=job, chunk_n=span)
    for rendition in plan.renditions:
        if (rendition.kind, rendition.mode, rendition.policy) == ("audio", "encode", "eager"):
            sound = to_plain(AudioPayload(**naming, rendition_id=rendition.id))
            job = job_of(content, media, AUDIO_KIND, sound, rendition.id, root_id=media.root_id)
            yield Order(job=job, rendition_id=rendition.id)
    base = next(each for each in plan.renditions if each.base)
    together = tuple(each.id for each in _together(plan))
    for rendition_id, made in ((base.id, (base.id,) if plan.base_first else ()), ("", together)):
        for chunk in plan.chunks if made else ():
            payload = to_plain(ChunkPayload(**naming, chunk_n=chunk.n, rendition_ids=made))
            name = f"chunk:{chunk.n}:{rendition_id}"
            job = job_of(content, media, CHUNK_KIND, payload, name, root_id=media.root_id)
            yield Order(job=job, chunk_n=chunk.n, rendition_id=rendition_id)


def request(session: Session, content: ContentRow, orders: Iterable[Order], *, media_version: int) -> None:
    """Queues jobs in messages of bounded size, and notes what each is for."""
    waiting: list[dict[str, object]] = []
    waiting_bytes = 0

    def say() -> None:
        body = JobsRequested(subject_id=content.content_id, revision=next_revision(content), jobs=tuple(waiting))
        emit(session, JOBS_REQUESTED, body)

    for order in orders:
        plain = to_plain(in_trace(order.job))
        size_bytes = len(orjson.dumps(plain))
        if waiting and waiting_bytes + size_bytes > _EVENT_BYTES:
            say()
            waiting, waiting_bytes = [], 0
        waiting.append(plain)
        waiting_bytes += size_bytes
        session.add(
            WorkRow(
                job_id=order.job.job_id,
                content_id=content.content_id,
                media_version=media_version,
                kind=order.job.kind,
                chunk_n=order.chunk_n,
                rendition_id=order.rendition_id,
            )
        )
    if waiting:
        say()
