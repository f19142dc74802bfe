"""Lazy rungs, in the database: which stretch of one is asked for, once, and how many at a time.

A rung is made in stretches of two segments. Each is a job of its own, a task beside the others, so that neither
pausing nor cancelling a transcode takes a picture from those who watch; it is noted as work until it is over, and what
is noted is not asked for again, in whichever replica.
"""

from __future__ import annotations

import attrs
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamgate.contracts.media import ASKED_KIND, ASKED_SEGMENTS, MediaPlan
from streamgate.contracts.streaming import SegmentPending, SegmentUnknown

from . import media_repository as repository
from .later_orders import Stretch, order_stretches
from .tables import RenditionRow, WorkRow

MOST_OF_VERSION = 8
"""Stretches of one film that are under way; whoever jumps about in it waits for those who did before."""
MOST = 64
"""Of all films."""
_RETRY_AFTER_S = 2
_NOW, _SOON = 0, 1
"""Priorities: what somebody waits for, and what comes after it."""


@attrs.frozen(kw_only=True)
class Part:
    """What is asked for: segment `n` of a rung. Below 0: the head, which comes with any part; then it is `near` that is
    made."""

    plan: MediaPlan
    rendition_id: str
    n: int
    near: int = 0


def wanted(session: Session, part: Part) -> list[Stretch]:
    """What is to be ordered: the stretch that holds it, and the one after it where there is room, as far as they are
    neither made nor under way.

    Raises:
        SegmentPending: so much is under way already.
        SegmentUnknown: of this rung a stretch could not be made, or its version is over.
    """
    plan, rendition_id = part.plan, part.rendition_id
    media = repository.find_media(session, plan.content_id, plan.media_version)
    row = None if media is None else repository.renditions_of(session, media).get(rendition_id)
    if media is None or row is None or media.state not in ("encoding", "ready") or row.status == "failed":
        raise SegmentUnknown("this rendition is not made any more")
    open_ones = _open(session, plan)
    if _is_among(open_ones, rendition_id, part.n):
        return []
    first = min(part.near if part.n < 0 else part.n, row.segments_planned - 1) // ASKED_SEGMENTS
    found = []
    room = MOST - _count(session)
    if _is_missing(session, row, first, open_ones):
        if len(open_ones) >= MOST_OF_VERSION or room < 1:
            said = f"{len(open_ones)} other parts of this film are being made for those who watch it"
            raise SegmentPending(said, retry_after_s=_RETRY_AFTER_S)
        found.append(Stretch(rendition_id=rendition_id, number=first, priority=_NOW))
    has_room = len(found) < room and len(open_ones) + len(found) <= MOST_OF_VERSION // 2
    if has_room and _is_missing(session, row, first + 1, open_ones):
        found.append(Stretch(rendition_id=rendition_id, number=first + 1, priority=_SOON))
    return found


def ask(session: Session, part: Part) -> None:
    """Orders what is `wanted`, once, in whichever replica. Raises as that."""
    content = repository.content_for_update(session, part.plan.content_id)
    stretches = wanted(session, part)
    media = repository.find_media(session, part.plan.content_id, part.plan.media_version)
    if stretches and media is not None:
        order_stretches(session, content, media, part.plan, stretches)


def is_open(session: Session, plan: MediaPlan, rendition_id: str, n: int) -> bool:
    """Whether the stretch of a segment (below 0: any) is under way."""
    return _is_among(_open(session, plan), rendition_id, n)


def _is_among(open_ones: set[tuple[str, int]], rendition_id: str, n: int) -> bool:
    if n < 0:
        return any(rendition_id == each for each, _ in open_ones)
    return (rendition_id, n // ASKED_SEGMENTS) in open_ones


def _open(session: Session, plan: MediaPlan) -> set[tuple[str, int]]:
    """Rendition and number of what is under way."""
    of_media = (WorkRow.content_id == plan.content_id, WorkRow.media_version == plan.media_version)
    rows = session.scalars(select(WorkRow).where(*of_media, WorkRow.kind == ASKED_KIND))
    return {(row.rendition_id, row.chunk_n) for row in rows if row.chunk_n is not None}


def _count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(WorkRow).where(WorkRow.kind == ASKED_KIND)) or 0


def _is_missing(session: Session, row: RenditionRow, number: int, open_ones: set[tuple[str, int]]) -> bool:
    numbers = range(number * ASKED_SEGMENTS, min((number + 1) * ASKED_SEGMENTS, row.segments_planned))
    if not numbers or (row.rendition_id, number) in open_ones:
        return False
    return len(repository.segments_of(session, row, numbers)) < len(numbers)
