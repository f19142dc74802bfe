"""Blobs that nothing names any more, in the database: noted here, deleted by the collector.

A key that the index names is never garbage: that is looked at when it is noted, and again before it is deleted. A
note that ends in `/` is a prefix: of what is below, all goes that the index does not name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, exists, insert, literal, select, union_all, update
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into

from .plans import copies_prefix, plans_prefix
from .tables import GarbageRow, MediaRow, PictureRow, RenditionRow, SegmentRow, StoryboardRow, TextRow

GARBAGE_AFTER_MS = 60_000
"""A response that is running when its blob becomes garbage may finish."""

LOST_AFTER_MS = 600_000
"""A runner that was cut off may write on until it hears that its lease is lost."""

_PAGE = 500  # keys in one statement


def throw_away(session: Session, keys: Iterable[str], now_ms: int, *, after_ms: int = GARBAGE_AFTER_MS) -> None:
    """Notes blobs for the collector, apart from those that are in use; noting one twice is harmless."""
    session.flush()
    thrown = [key for key in dict.fromkeys(keys) if key]
    used = named_among(session, thrown)
    values = [{"key": key, "due_at_ms": now_ms + after_ms} for key in thrown if key not in used]
    if values:
        session.execute(insert_into(session, GarbageRow).on_conflict_do_nothing(), values)


def throw_away_made(session: Session, media: MediaRow, now_ms: int) -> None:
    """Everything made for a version: its blobs become garbage and leave the index; its plan goes too."""
    session.flush()
    segments = (SegmentRow.content_id == media.content_id, SegmentRow.media_version == media.media_version)
    renditions = (
        RenditionRow.content_id == media.content_id,
        RenditionRow.media_version == media.media_version,
        RenditionRow.init_key != "",
    )
    pictures = (PictureRow.content_id == media.content_id, PictureRow.media_version == media.media_version)
    keys = union_all(
        select(SegmentRow.key).where(*segments),
        select(RenditionRow.init_key).where(*renditions),
        select(PictureRow.key).where(*pictures),
    ).subquery()
    due = (
        select(keys.c.key, literal(now_ms + GARBAGE_AFTER_MS))
        .distinct()
        .where(~exists().where(GarbageRow.key == keys.c.key))
    )
    session.execute(insert(GarbageRow).from_select(["key", "due_at_ms"], due))
    session.execute(delete(SegmentRow).where(*segments))
    session.execute(delete(PictureRow).where(*pictures))
    of_media = (StoryboardRow.content_id == media.content_id, StoryboardRow.media_version == media.media_version)
    session.execute(delete(StoryboardRow).where(*of_media))
    said = (TextRow.content_id == media.content_id, TextRow.media_version == media.media_version)
    session.execute(delete(TextRow).where(*said))
    session.execute(update(RenditionRow).where(*renditions).values(init_key=""))
    throw_away_below(session, plans_prefix(media.content_id, media.media_version), now_ms)
    throw_away_copies(session, media.content_id, media.media_version, now_ms)


def throw_away_below(session: Session, prefix: str, now_ms: int, *, after_ms: int = GARBAGE_AFTER_MS) -> None:
    """Notes everything below a prefix, also what comes there until then. Noting it again puts it off."""
    due_at_ms = now_ms + after_ms
    note = insert_into(session, GarbageRow).values(key=prefix, due_at_ms=due_at_ms)
    session.execute(note.on_conflict_do_update(index_elements=["key"], set_={"due_at_ms": due_at_ms}))


def throw_away_copies(session: Session, content_id: str, media_version: int, now_ms: int) -> None:
    """What is cut of a source that is no longer played. Whoever cuts when it is noted may write on for a while."""
    throw_away_below(session, copies_prefix(content_id, media_version), now_ms, after_ms=LOST_AFTER_MS)


def throw_away_lost(session: Session, content_id: str, now_ms: int, *, job_id: str = "") -> None:
    """What attempts left that do not count, of a job that is over or of all jobs of a content: worker gives each
    lease of a job a prefix of its own, `jobs/<content>/<job>/<lease>`."""
    prefix = f"jobs/{content_id}/{job_id}/" if job_id else f"jobs/{content_id}/"
    throw_away_below(session, prefix, now_ms, after_ms=LOST_AFTER_MS)


def keep(session: Session, keys: Sequence[str]) -> None:
    """Takes back what was noted, as far as the index names it now."""
    named = sorted(named_among(session, keys))
    for at in range(0, len(named), _PAGE):
        session.execute(delete(GarbageRow).where(GarbageRow.key.in_(named[at : at + _PAGE])))


def named_among(session: Session, keys: Sequence[str]) -> set[str]:
    """Those of the keys that the index names, as a segment, an init or a picture."""
    named: set[str] = set()
    for at in range(0, len(keys), _PAGE):
        page = keys[at : at + _PAGE]
        named.update(session.scalars(select(SegmentRow.key).where(SegmentRow.key.in_(page))))
        named.update(session.scalars(select(RenditionRow.init_key).where(RenditionRow.init_key.in_(page))))
        named.update(session.scalars(select(PictureRow.key).where(PictureRow.key.in_(page))))
    return named


def due_garbage(session: Session, now_ms: int, limit: int) -> list[str]:
    due = select(GarbageRow.key).where(GarbageRow.due_at_ms <= now_ms).order_by(GarbageRow.due_at_ms).limit(limit)
    return list(session.scalars(due))


def forget_garbage(session: Session, keys: Iterable[str]) -> None:
    session.execute(delete(GarbageRow).where(GarbageRow.key.in_(list(keys))))
