"""Uploads in the database. Functions take a session and never commit; ownership is part of the query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import attrs
from sqlalchemy import ColumnElement, CursorResult, and_, delete, func, or_, select, true, update
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.uploads import UploadNotFound, UploadStatus
from streamgate.sdk.db import insert_into
from streamgate_upload.chunks import Chunks
from streamgate_upload.tables import ChunkRow, OwnerRow, SubjectRow, UploadRow

Form = Literal["chunks", "tus", "single", "import", "partial", "final"]


@attrs.frozen(kw_only=True)
class Upload:
    """An upload as it was when read. `size_bytes` is 0 while it is not known (single requests, imports, tus where
    it is told later)."""

    upload_id: str
    content_id: str
    owner: str
    form: Form
    status: UploadStatus
    filename: str
    content_type: str
    size_bytes: int
    chunk_size_bytes: int
    received_bytes: int
    declared_sha256: str
    sha256: str
    source_key: str
    multipart_token: str
    failure: str
    failure_detail: str
    created_at_ms: int
    updated_at_ms: int
    expires_at_ms: int
    to_sweep: bool
    source_url: str = ""
    attempts: int = 0
    holder: str = ""
    held_until_ms: int = 0
    tail: str = ""
    counted_bytes: int = 0
    told_metadata: str = ""
    told_concat: str = ""
    final_id: str = ""

    @property
    def is_whole(self) -> bool:
        """All its bytes have come; there may be something left to do with them."""
        return 0 < self.size_bytes == self.received_bytes

    @property
    def chunks(self) -> Chunks:
        return Chunks(self.size_bytes, self.chunk_size_bytes)


_FIELDS = tuple(field.name for field in attrs.fields(Upload))


def to_upload(row: UploadRow) -> Upload:
    return Upload(**{name: getattr(row, name) for name in _FIELDS})


# --- finding ----------------------------------------------------------------------------------------


def owned_by(actor: Actor) -> ColumnElement[bool]:
    """Moderators may do with uploads what their owner may."""
    return true() if actor.is_moderator else and_(UploadRow.owner == actor.user_id, UploadRow.owner != "")


def get_owned(session: Session, upload_id: str, actor: Actor, *, lock: bool = False) -> UploadRow:
    """Raises UploadNotFound (also for somebody else's)."""
    statement = select(UploadRow).where(UploadRow.upload_id == upload_id, owned_by(actor))
    row = session.scalar(statement.with_for_update() if lock else statement)
    if row is None:
        raise UploadNotFound(f"You have no upload {upload_id[:40]!r}")
    return row


def lock(session: Session, upload_id: str) -> UploadRow | None:
    return session.scalar(select(UploadRow).where(UploadRow.upload_id == upload_id).with_for_update())


def get_locked(session: Session, upload_id: str) -> UploadRow:
    """Raises UploadNotFound."""
    row = lock(session, upload_id)
    if row is None:
        raise UploadNotFound(f"There is no upload {upload_id!r} any more")
    return row


def find(session: Session, upload_id: str) -> Upload | None:
    row = session.get(UploadRow, upload_id)
    return None if row is None else to_upload(row)


def count_open(session: Session, owner: str) -> int:
    statement = select(func.count()).where(UploadRow.owner == owner, UploadRow.status == "receiving")
    return session.scalar(statement) or 0


def count_all_open(session: Session) -> int:
    return session.scalar(select(func.count()).where(UploadRow.status == "receiving")) or 0


def counted_bytes(session: Session, owner: str) -> int:
    """What a person's uploads take of the quota: what open ones are to have or have so far, and what finished ones
    have until their content is deleted."""
    return int(session.scalar(select(func.sum(UploadRow.counted_bytes)).where(UploadRow.owner == owner)) or 0)


def has_other_open(session: Session, row: UploadRow) -> bool:
    """Whether another upload into the same content still takes bytes."""
    statement = select(UploadRow.upload_id).where(
        UploadRow.content_id == row.content_id, UploadRow.status == "receiving", UploadRow.upload_id != row.upload_id
    )
    return session.scalar(statement.limit(1)) is not None


def list_of(session: Session, owner: str, limit: int, after: tuple[int, str] | None) -> list[UploadRow]:
    """Newest first. Partial uploads are nothing by themselves, and are left out."""
    statement = select(UploadRow).where(UploadRow.owner == owner, UploadRow.form != "partial")
    if after is not None:
        at_ms, upload_id = after
        is_older = or_(
            UploadRow.created_at_ms < at_ms,
            and_(UploadRow.created_at_ms == at_ms, UploadRow.upload_id < upload_id),
        )
        statement = statement.where(is_older)
    ordered = statement.order_by(UploadRow.created_at_ms.desc(), UploadRow.upload_id.desc())
    return list(session.scalars(ordered.limit(limit)))


def of_content(session: Session, content_id: str) -> Sequence[UploadRow]:
    return session.scalars(select(UploadRow).where(UploadRow.content_id == content_id).with_for_update()).all()


def take_turn(session: Session, owner: str) -> None:
    """Until this transaction ends nobody else adds an upload of this owner."""
    statement = insert_into(session, OwnerRow).values(owner=owner, opened=1)
    session.execute(statement.on_conflict_do_update(index_elements=["owner"], set_={"opened": OwnerRow.opened + 1}))


def lock_owner(session: Session, owner: str) -> None:
    """Others that open or finish an upload of this person wait until this transaction ends."""
    session.execute(select(OwnerRow.owner).where(OwnerRow.owner == owner).with_for_update())


def add(session: Session, upload: Upload) -> None:
    session.add(UploadRow(**attrs.asdict(upload)))
    session.flush()


def forget(session: Session, upload_id: str) -> None:
    """For an upload with nothing left in the blob store."""
    session.execute(delete(UploadRow).where(UploadRow.upload_id == upload_id))


def next_revision(session: Session, content_id: str) -> int:
    statement = insert_into(session, SubjectRow).values(content_id=content_id, revision=1)
    counted = session.execute(
        statement.on_conflict_do_update(
            index_elements=["content_id"], set_={"revision": SubjectRow.revision + 1}
        ).returning(SubjectRow.revision)
    )
    return counted.scalar_one()


# --- chunks -----------------------------------------------------------------------------------------


def claim_chunk(session: Session, upload_id: str, number: int, claim: str, now_ms: int, until_ms: int) -> ChunkRow:
    """The chunk's row: with the given claim if it could be had, done, or with the claim of another request."""
    statement = insert_into(session, ChunkRow).values(
        upload_id=upload_id, number=number, is_done=False, sha256="", claim=claim, claimed_until_ms=until_ms, tag=""
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["upload_id", "number"],
            set_={"claim": claim, "claimed_until_ms": until_ms},
            where=and_(ChunkRow.is_done.is_(False), ChunkRow.claimed_until_ms <= now_ms),
        )
    )
    return session.scalars(select(ChunkRow).where(ChunkRow.upload_id == upload_id, ChunkRow.number == number)).one()


def keep_claim(session: Session, upload_id: str, number: int, claim: str, until_ms: int) -> bool:
    """Prolongs a claim; False when it is lost."""
    return _changed(session, _claimed(upload_id, number, claim), claimed_until_ms=until_ms)


def set_done(session: Session, upload_id: str, number: int, claim: str, sha256: str, tag: str) -> bool:
    """Acknowledges the chunk; False when the claim is lost."""
    return _changed(session, _claimed(upload_id, number, claim), is_done=True, sha256=sha256, tag=tag, claim="")


def add_done(session: Session, upload_id: str, number: int, sha256: str, tag: str) -> None:
    """For an upload that one holder writes."""
    session.add(
        ChunkRow(upload_id=upload_id, number=number, is_done=True, sha256=sha256, claim="", claimed_until_ms=0, tag=tag)
    )


def release_claim(session: Session, upload_id: str, number: int, claim: str) -> None:
    session.execute(delete(ChunkRow).where(_claimed(upload_id, number, claim)))


def drop_all_claims(session: Session) -> None:
    """For a process that knows itself to be the only one."""
    session.execute(delete(ChunkRow).where(ChunkRow.is_done.is_(False)))
    held = UploadRow.status == "receiving", UploadRow.holder != ""
    session.execute(update(UploadRow).where(*held).values(holder="", held_until_ms=0))


# --- holding a whole upload: tus, imports -----------------------------------------------------------


def due_imports(session: Session, now_ms: int, limit: int) -> Sequence[UploadRow]:
    """Imports that nobody works on, those that wait for longest first."""
    waits = and_(UploadRow.form == "import", UploadRow.status == "receiving", UploadRow.held_until_ms <= now_ms)
    statement = select(UploadRow).where(waits).order_by(UploadRow.held_until_ms, UploadRow.created_at_ms)
    return session.scalars(statement.limit(limit).with_for_update(skip_locked=True)).all()


def get_held(session: Session, upload_id: str, holder: str) -> UploadRow | None:
    """The row, locked, while it receives and the holder still holds it."""
    row = lock(session, upload_id)
    return row if row is not None and row.status == "receiving" and row.holder == holder else None


def done_numbers(session: Session, upload_id: str) -> list[int]:
    statement = select(ChunkRow.number).where(ChunkRow.upload_id == upload_id, ChunkRow.is_done)
    return list(session.scalars(statement))


def done_tags(session: Session, upload_id: str) -> dict[int, str]:
    """The blob store's tags by part (they count from 1); without those it gave none for."""
    statement = select(ChunkRow.number, ChunkRow.tag).where(ChunkRow.upload_id == upload_id, ChunkRow.is_done)
    return {number + 1: tag for number, tag in session.execute(statement) if tag}


def forget_chunks(session: Session, upload_id: str) -> None:
    session.execute(delete(ChunkRow).where(ChunkRow.upload_id == upload_id))


def _claimed(upload_id: str, number: int, claim: str) -> ColumnElement[bool]:
    return and_(
        ChunkRow.upload_id == upload_id,
        ChunkRow.number == number,
        ChunkRow.claim == claim,
        ChunkRow.is_done.is_(False),
    )


def _changed(session: Session, which: ColumnElement[bool], **values: object) -> bool:
    result = cast("CursorResult[tuple[()]]", session.execute(update(ChunkRow).where(which).values(**values)))
    return result.rowcount == 1


# --- looking over -----------------------------------------------------------------------------------


def overdue(session: Session, now_ms: int, limit: int) -> Sequence[UploadRow]:
    """Uploads to which nothing has come for too long."""
    statement = select(UploadRow).where(UploadRow.status == "receiving", UploadRow.expires_at_ms <= now_ms)
    return session.scalars(statement.limit(limit).with_for_update(skip_locked=True)).all()


def verifying(session: Session, before_ms: int) -> list[str]:
    statement = select(UploadRow.upload_id).where(UploadRow.status == "verifying", UploadRow.updated_at_ms <= before_ms)
    return list(session.scalars(statement))


def to_sweep(session: Session, limit: int) -> list[Upload]:
    return [to_upload(row) for row in session.scalars(select(UploadRow).where(UploadRow.to_sweep).limit(limit))]


def set_swept(session: Session, upload_ids: Sequence[str]) -> None:
    session.execute(update(UploadRow).where(UploadRow.upload_id.in_(upload_ids)).values(to_sweep=False))


def prune(session: Session, before_ms: int) -> None:
    """Forgets uploads that came to nothing long ago, and those that others were made of."""
    over = or_(UploadRow.status.in_(("failed", "aborted", "expired")), UploadRow.final_id != "")
    session.execute(delete(UploadRow).where(over, UploadRow.to_sweep.is_(False), UploadRow.updated_at_ms < before_ms))
