"""Captions and chapters in the database. Functions take a session and never commit.

What a creator gives is kept under media version 0 and goes before what was found in the film, name by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

import attrs
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from streamgate.contracts.media import MediaPlan
from streamgate.sdk.playlists.captions import CaptionKind, CaptionTrack
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.chapters import cues_of_found

from . import media_repository as media
from .tables import TextRow

OWN = 0
"""The media version of what the creator gave."""
CHAPTERS: Literal["chapters"] = "chapters"
MAX_TRACKS = 32
"""Captions that a creator may give to a content."""

_WITHOUT_WORDS = (
    TextRow.media_version,
    TextRow.name,
    TextRow.kind,
    TextRow.language,
    TextRow.label,
    TextRow.is_default,
    TextRow.cues,
    TextRow.size_bytes,
    TextRow.sha256,
)


@attrs.frozen(kw_only=True)
class NewText:
    """A text of ours, with what is said about it."""

    name: str
    kind: Literal["subtitles", "captions", "chapters"]
    language: str
    label: str
    is_default: bool
    cues: int
    text: str

    @property
    def data(self) -> bytes:
        return self.text.encode()


@attrs.frozen(kw_only=True)
class KeptText:
    """A text without its words. `is_own`: the creator's, not the film's."""

    media_version: int
    name: str
    kind: str
    language: str
    label: str
    is_default: bool
    cues: int
    size_bytes: int
    sha256: str

    @property
    def is_own(self) -> bool:
        return self.media_version == OWN


def store(session: Session, content_id: str, media_version: int, given: NewText) -> KeptText:
    """In place of what was there under its name. Where it is to be shown by default, no other of its version is."""
    _remove(session, content_id, media_version, given.name)
    if given.is_default:
        others = (TextRow.content_id == content_id, TextRow.media_version == media_version)
        session.execute(update(TextRow).where(*others).values(is_default=False))
    data = given.data
    row = TextRow(
        content_id=content_id,
        media_version=media_version,
        name=given.name,
        kind=given.kind,
        language=given.language,
        label=given.label,
        is_default=given.is_default,
        cues=given.cues,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        text=given.text,
    )
    session.add(row)
    session.flush()
    return KeptText(**{field.name: getattr(row, field.name) for field in attrs.fields(KeptText)})


def keep_found_chapters(session: Session, plan: MediaPlan) -> None:
    """Those that the source brought along, if it did."""
    cues = cues_of_found(plan.chapters)
    if not cues:
        return
    text = webvtt.render(cues)
    given = NewText(name=CHAPTERS, kind=CHAPTERS, language="", label="", is_default=False, cues=len(cues), text=text)
    store(session, plan.content_id, plan.media_version, given)


def remove(session: Session, content_id: str, name: str) -> int | None:
    """What is shown under a name: the creator's own, else what was found in the film. The media version it was of; None
    where there is none."""
    gone = next((each for each in texts_of(session, content_id) if each.name == name), None)
    if gone is None:
        return None
    _remove(session, content_id, gone.media_version, name)
    return gone.media_version


def forget_own(session: Session, content_id: str) -> None:
    """Of a content that is deleted."""
    session.execute(delete(TextRow).where(TextRow.content_id == content_id, TextRow.media_version == OWN))


def texts_of(session: Session, content_id: str, media_version: int | None = None) -> tuple[KeptText, ...]:
    """What is shown with a version, chapters too; of none that is named, with the newest that plays."""
    if media_version is None:
        media_version = media.active_version(session, content_id) or OWN
    asked = select(*_WITHOUT_WORDS).where(
        TextRow.content_id == content_id, TextRow.media_version.in_((OWN, media_version))
    )
    rows = session.execute(asked.order_by(TextRow.media_version.desc()))
    shown = {row.name: KeptText(**row._mapping) for row in rows}  # own ones last, in place of the film's
    return tuple(shown[name] for name in sorted(shown))


def count_own(session: Session, content_id: str, *, but: str) -> int:
    """Captions that the creator gave, apart from those of one name."""
    own = (TextRow.content_id == content_id, TextRow.media_version == OWN, TextRow.name.not_in((but, CHAPTERS)))
    return session.scalar(select(func.count()).select_from(TextRow).where(*own)) or 0


def text_of(session: Session, content_id: str, media_version: int, name: str) -> str | None:
    row = session.get(TextRow, (content_id, media_version, name))
    return None if row is None else row.text


def tracks_of(texts: Iterable[KeptText]) -> tuple[CaptionTrack, ...]:
    """The captions among them, as playlists name them: by language. An own one that is the default makes the film's
    own defaults none."""
    found = [each for each in texts if each.kind != CHAPTERS]
    has_own_default = any(each.is_default and each.is_own for each in found)
    return tuple(
        CaptionTrack(
            language=each.language,
            label=each.label,
            kind=_kind(each.kind),
            is_default=each.is_default and (each.is_own or not has_own_default),
            key=str(each.media_version),
            sha256=each.sha256,
            size_bytes=each.size_bytes,
        )
        for each in found
    )


def _kind(said: str) -> CaptionKind:
    return "captions" if said == "captions" else "subtitles"


def _remove(session: Session, content_id: str, media_version: int, name: str) -> None:
    one = (TextRow.content_id == content_id, TextRow.media_version == media_version, TextRow.name == name)
    session.execute(delete(TextRow).where(*one))
