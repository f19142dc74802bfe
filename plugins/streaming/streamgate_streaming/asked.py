"""Lazy rungs, in the database: which stretch of one is asked for, once, and how many at a time.

A rung is made in stretches of two segments. Each is a job of its own, a task beside the others, so that neither
pausing nor cancelling a transcode takes a picture from those who watch; it is noted as work until it is over, and what
is noted is not asked for again, in whichever replica.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from streamgate.contracts.media import ASKED_KIND, ASKED_SEGMENTS, MediaPlan
from streamgate.contracts.streaming import SegmentPending, SegmentUnknown

from . import media_repository as repository
from .later_orders import Stretch, order_stretches
from .tables import ContentRow, MediaRow, RenditionRow, WorkRow

MOST_OF_VERSION = 8
"""Stretches of one film that are under way; whoever jumps about in it waits for those who did before."""
MOST = 64
"""Of all films."""
_RETRY_AFTER_S = 2
_NOW, _SOON = 0, 1
"""Priorities: what somebody waits for, and what comes after it."""


def ask(session: Session, plan: MediaPlan, rendition_id: str, n: int, near: int = 0) -> None:
    """Has the stretch made that holds segment `n`, and the one after it where there is room. What is made, or under
    way, stays as it is. Below 0: the head, which comes with any of them; then it is `near` that is made.

    Raises:
        SegmentPending: so much is under way already.
        SegmentUnknown: of this rung a stretch could not be made, or its version is over.
    """
    content = repository.content_for_update(session, plan.content_id)
    media = repository.find_media(session, plan.content_id, plan.media_version)
    row = None if media is None else repository.renditions_of(session, media).get(rendition_id)
    if media is None or row is None or media.state not in ("encoding", "ready") or row.status == "failed":
        raise SegmentUnknown("this rendition is not made any more")
    open_ones = _open(session, plan)
    if _is_among(open_ones, rendition_id, n):
        return
    first = min(near if n < 0 else n, row.segments_planned - 1) // ASKED_SEGMENTS
    wanted = [first, first + 1]
    missing = [number for number in wanted if _is_missing(session, row, number, open_ones)]
    if wanted[0] in missing:
        if len(open_ones) >= MOST_OF_VERSION or _count(session) >= MOST:
            said = f"{len(open_ones)} other parts of this film are being made for those who watch it"
            raise SegmentPending(said, retry_after_s=_RETRY_AFTER_S)
        _order(session, content, media, plan, rendition_id, wanted[:1], _NOW)
        open_ones.add((rendition_id, wanted[0]))
    if wanted[1] in missing and len(open_ones) <= MOST_OF_VERSION // 2:
        _order(session, content, media, plan, rendition_id, wanted[1:], _SOON)


def lacks_next(session: Session, plan: MediaPlan, rendition_id: str, n: int) -> bool:
    """Whether what follows the stretch of segment `n` is neither made nor under way."""
    row = session.get(RenditionRow, (plan.content_id, plan.media_version, rendition_id))
    return row is not None and _is_missing(session, row, n // ASKED_SEGMENTS + 1, _open(session, plan))


def is_open(session: Session, plan: MediaPlan, rendition_id: str, n: int) -> bool:
    """Whether the stretch of a segment (below 0: any) is under way."""
    return _is_among(_open(session, plan), rendition_id, n)


def _is_among(open_ones: set[tuple[str, int]], rendition_id: str, n: int) -> bool:
    if n < 0:
        return any(rendition_id == each for each, _ in open_ones)
    return (rendition_id, n // ASKED_SEGMENTS) in open_ones


def _order(
    session: Session,
    content: ContentRow,
    media: MediaRow,
    plan: MediaPlan,
    rendition_id: str,
    numbers: Iterable[int],
    priority: int,
) -> None:
    stretches = [Stretch(rendition_id=rendition_id, number=number, priority=priority) for number in numbers]
    order_stretches(session, content, media, plan, stretches)


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
