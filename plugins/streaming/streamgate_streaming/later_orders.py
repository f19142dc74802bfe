"""Jobs that are asked for when a media version plays: for those who watch, and again for what had failed."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.media import (
    ASKED_KIND,
    CHUNK_KIND,
    COPY_KIND,
    AskedPayload,
    AudioPayload,
    ChunkPayload,
    CopyPayload,
    MediaPlan,
)
from streamgate.sdk.ids import uuid7
from streamgate.wire import to_plain

from .orders import Order, copy_of, job_of, of_plan, request
from .tables import ContentRow, MediaRow


@attrs.frozen(kw_only=True)
class Stretch:
    """Segments of a lazy rung that are made by one job: `number` times ASKED_SEGMENTS and those after."""

    rendition_id: str
    number: int
    priority: int


def order_stretches(
    session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan, wanted: Iterable[Stretch]
) -> None:
    """Asks for parts of lazy rungs. Nobody's jobs: viewers ask, and the owner's own are not put back for it."""
    orders, naming = [], of_plan(media, plan)
    for stretch in wanted:
        payload = AskedPayload(**naming, rendition_id=stretch.rendition_id, stretch_n=stretch.number)
        job_id = uuid7()  # it may be asked for again, where it was lost
        job = job_of(content, media, ASKED_KIND, to_plain(payload), f"asked:{job_id}", job_id=job_id)
        job = attrs.evolve(job, owner="", priority=stretch.priority)
        orders.append(Order(job=job, chunk_n=stretch.number, rendition_id=stretch.rendition_id))
    request(session, content, orders, media_version=media.media_version)


@attrs.frozen
class Again:
    """A job for one rendition that failed: chunk or copies of number `chunk_n`, or all of a sound."""

    kind: str
    chunk_n: int | None
    rendition_id: str


def order_again(
    session: Session, content: ContentRow, media: MediaRow, plan: MediaPlan, wanted: Iterable[Again]
) -> None:
    """Asks once more, in the same task, for what had failed."""
    naming = of_plan(media, plan)
    orders = []
    for again in wanted:
        payload: ChunkPayload | AudioPayload | CopyPayload
        if again.kind == CHUNK_KIND and again.chunk_n is not None:
            payload = ChunkPayload(**naming, chunk_n=again.chunk_n, rendition_ids=(again.rendition_id,))
        elif again.kind == COPY_KIND and again.chunk_n is not None:
            payload = copy_of(naming, plan, again.chunk_n)
        else:
            payload = AudioPayload(**naming, rendition_id=again.rendition_id)
        job_id = uuid7()
        job = job_of(
            content, media, again.kind, to_plain(payload), f"again:{job_id}", job_id=job_id, root_id=media.root_id
        )
        orders.append(Order(job=job, chunk_n=again.chunk_n, rendition_id=again.rendition_id))
    request(session, content, orders, media_version=media.media_version)
