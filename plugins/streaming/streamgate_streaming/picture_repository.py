"""Posters and storyboards in the database. Functions take a session and never commit."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from streamgate.contracts.captions import CAPTIONS_KIND
from streamgate.contracts.pictures import PICTURES_KIND, MadePicture, Storyboard

from . import garbage
from .tables import MediaRow, PictureRow, StoryboardRow, WorkRow

POSTER, MOVING = "poster", "moving"
OWN = 0
"""The media version of what the creator gave."""


def came_as(content_id: str, job_id: str) -> str:
    """Where the picture is that a job makes a poster of."""
    return f"{all_that_came(content_id)}{job_id}"


def all_that_came(content_id: str) -> str:
    return f"posters/{content_id}/"


def forget_own(session: Session, content_id: str, now_ms: int) -> None:
    """Of a content that is deleted."""
    garbage.throw_away(session, store(session, content_id, OWN, None, None), now_ms)


@attrs.frozen(kw_only=True)
class Pictures:
    """What there is to show of a media version. `is_settled`: no more is being made, nor captions read out."""

    poster: MadePicture | None = None
    storyboard: Storyboard | None = None
    is_settled: bool = True


def store(
    session: Session,
    content_id: str,
    media_version: int,
    poster: MadePicture | None,
    board: Storyboard | None,
    moving: MadePicture | None = None,
) -> list[str]:
    """In place of what was there, whose keys are returned. What is stored is no garbage."""
    before = keys_of(session, content_id, media_version)
    of_version = (PictureRow.content_id == content_id, PictureRow.media_version == media_version)
    session.execute(delete(PictureRow).where(*of_version))
    boards = (StoryboardRow.content_id == content_id, StoryboardRow.media_version == media_version)
    session.execute(delete(StoryboardRow).where(*boards))
    named = {name: made for name, made in ((POSTER, poster), (MOVING, moving)) if made is not None}
    named |= {str(n): sheet for n, sheet in enumerate(board.sheets)} if board is not None else {}
    for name, made in named.items():
        session.add(PictureRow(content_id=content_id, media_version=media_version, name=name, **attrs.asdict(made)))
    if board is not None:
        layout = attrs.asdict(board, filter=lambda field, _: field.name != "sheets")
        session.add(StoryboardRow(content_id=content_id, media_version=media_version, **layout))
    session.flush()
    kept = [made.key for made in named.values()]
    garbage.keep(session, kept)
    return [key for key in before if key not in kept]


def keys_of(session: Session, content_id: str, media_version: int) -> list[str]:
    of_version = (PictureRow.content_id == content_id, PictureRow.media_version == media_version)
    return list(session.scalars(select(PictureRow.key).where(*of_version)))


def poster_of(session: Session, content_id: str) -> MadePicture | None:
    """The creator's own, else that of the newest version that plays."""
    found = _poster_row(session, content_id)
    return None if found is None else _made(found)


def has_own(session: Session, content_id: str) -> bool:
    return session.get(PictureRow, (content_id, OWN, POSTER)) is not None


def moving_poster_of(session: Session, content_id: str) -> MadePicture | None:
    """Of the film whose poster is shown: a creator's own stands in the place of both."""
    shown = _poster_row(session, content_id)
    if shown is None or shown.media_version == OWN:
        return None
    found = session.get(PictureRow, (content_id, shown.media_version, MOVING))
    return None if found is None else _made(found)


def _poster_row(session: Session, content_id: str) -> PictureRow | None:
    plays = exists().where(
        MediaRow.content_id == PictureRow.content_id,
        MediaRow.media_version == PictureRow.media_version,
        MediaRow.playable.is_(True),
    )
    wanted = (PictureRow.content_id == content_id, PictureRow.name == POSTER)
    own = select(PictureRow).where(*wanted, PictureRow.media_version == OWN)
    newest = select(PictureRow).where(*wanted, plays).order_by(PictureRow.media_version.desc()).limit(1)
    return session.scalars(own).one_or_none() or session.scalars(newest).one_or_none()


def pictures_of(session: Session, content_id: str, media_version: int) -> Pictures:
    """What a session of that version is shown."""
    of_version = (PictureRow.content_id == content_id, PictureRow.media_version == media_version)
    sheets = session.scalars(select(PictureRow).where(*of_version, PictureRow.name.not_in((POSTER, MOVING))))
    layout = session.get(StoryboardRow, (content_id, media_version))
    pending = exists().where(
        WorkRow.content_id == content_id,
        WorkRow.media_version == media_version,
        WorkRow.kind.in_((PICTURES_KIND, CAPTIONS_KIND)),
    )
    return Pictures(
        poster=poster_of(session, content_id),
        storyboard=None if layout is None else _board(layout, sheets),
        is_settled=not session.scalar(select(pending)),
    )


def _board(layout: StoryboardRow, sheets: Iterable[PictureRow]) -> Storyboard:
    return Storyboard(
        tile_width_px=layout.tile_width_px,
        tile_height_px=layout.tile_height_px,
        columns=layout.columns,
        rows=layout.rows,
        tiles=layout.tiles,
        interval_ms=layout.interval_ms,
        sheets=tuple(_made(row) for row in sorted(sheets, key=lambda row: int(row.name))),
    )


def _made(row: PictureRow) -> MadePicture:
    return MadePicture(
        key=row.key, size_bytes=row.size_bytes, sha256=row.sha256, width_px=row.width_px, height_px=row.height_px
    )
