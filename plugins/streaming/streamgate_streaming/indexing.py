"""Made segments in the index: what names their blobs, and keeps them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from streamgate.contracts.media import MadePart

from . import garbage
from . import media_repository as repository
from .tables import RenditionRow, SegmentRow


def index_part(session: Session, row: RenditionRow, part: MadePart, *, is_final: bool, now_ms: int) -> None:
    """Takes a part that was checked into the index of its rendition. What a job says at its end (`is_final`) replaces
    what was said on the way."""
    known = repository.segments_of(session, row, [segment.n for segment in part.segments])
    replaced = []
    if not row.init_key:
        row.init_key, row.init_sha256, row.init_size_bytes = part.init_key, part.init_sha256, part.init_size_bytes
    elif part.init_key != row.init_key:
        replaced.append(part.init_key)
    for segment in part.segments:
        found = known.get(segment.n)
        if found is None:
            found = SegmentRow(
                content_id=row.content_id,
                media_version=row.media_version,
                rendition_id=row.rendition_id,
                n=segment.n,
                key=segment.key,
            )
            session.add(found)
        elif found.key == segment.key or not is_final:
            continue
        else:
            replaced.append(found.key)
        found.key = segment.key
        found.size_bytes = segment.size_bytes
        found.sha256 = segment.sha256
        found.start_ticks = segment.decode_time_ticks
        found.duration_ticks = segment.duration_ticks
        found.first_frame_bytes = segment.first_frame_bytes
    session.flush()
    garbage.keep(session, keys_of(part))
    garbage.throw_away(session, replaced, now_ms)
    row.segments_made, row.made_bytes = repository.count_made(session, row)


def keys_of(part: MadePart) -> list[str]:
    return [part.init_key, *(segment.key for segment in part.segments)]
