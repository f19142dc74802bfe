"""Captions and chapters that creators give: read, written anew, and kept in one transaction."""

from __future__ import annotations

from sqlalchemy.orm import Session

from streamgate.contracts.events import TEXTS_CHANGED, TextsChanged
from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.streaming import CaptionsUnknown, TooManyCaptions
from streamgate.sdk.audit import audit
from streamgate.sdk.db import Database, emit

from . import media_repository as media
from . import text_repository as texts
from .orders import next_revision
from .tables import ContentRow
from .text_repository import CHAPTERS, MAX_TRACKS, OWN, KeptText, NewText


class OwnTexts:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def give(self, content_id: str, owner: str, given: NewText) -> KeptText:
        """Raises TooManyCaptions, ContentNotFound (it is being deleted)."""

        def keep(session: Session) -> KeptText:
            content = media.content_for_update(session, content_id)
            if content.is_deleted:
                raise ContentNotFound(f"content {content_id} is deleted")
            content.owner = content.owner or owner
            if given.kind != CHAPTERS and texts.count_own(session, content_id, but=given.name) >= MAX_TRACKS:
                raise TooManyCaptions(f"a content has captions in at most {MAX_TRACKS} languages: delete one first")
            kept = texts.store(session, content_id, OWN, given)
            audit(session, "stream.texts_given", on=f"content:{content_id}", detail={"texts": given.name})
            tell(session, content, OWN)
            return kept

        return await self._db.write(keep)

    async def take_back(self, content_id: str, name: str) -> None:
        """The creator's own, and what was found in the film under its name is shown again; where there is no own one,
        what was found.

        Raises:
            CaptionsUnknown: neither.
        """

        def remove(session: Session) -> None:
            content = media.content_for_update(session, content_id)
            gone = texts.remove(session, content_id, name)
            if gone is None:
                what = "chapters" if name == CHAPTERS else f"captions {name}"
                raise CaptionsUnknown(f"content {content_id} has no {what}")
            audit(session, "stream.texts_taken_back", on=f"content:{content_id}", detail={"texts": name})
            tell(session, content, gone)

        await self._db.write(remove)

    async def all(self, content_id: str) -> tuple[KeptText, ...]:
        """What is shown with the newest version that plays."""
        return await self._db.read(lambda session: texts.texts_of(session, content_id))


def tell(session: Session, content: ContentRow, media_version: int) -> None:
    changed = TextsChanged(subject_id=content.content_id, revision=next_revision(content), media_version=media_version)
    emit(session, TEXTS_CHANGED, changed)
