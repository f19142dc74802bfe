"""Upload's tables. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from streamgate.sdk.db import plugin_tables

TABLES = plugin_tables("upload")


class Base(DeclarativeBase):
    metadata = TABLES
    type_annotation_map = {int: BigInteger, str: Text, bool: Boolean}  # noqa: RUF012 - SQLAlchemy's own form


class UploadRow(Base):
    """An upload. `form` is how the bytes come: `chunks`, `tus` (one after the other; its size may be told late),
    `single` (one request; its size is known at its end), `import` (fetched by us from `source_url`, which has been
    tried `attempts` times), `partial` (as `tus`, but the bytes are only for a final one, and there is no content), or
    `final` (made of partial ones, each of which then has its id as `final_id`).
    `multipart_token` names the blob store's half-made object. `to_sweep`: something of it may be in the blob store
    that should not be there. `holder` is the one request or process that may work on it (tus, partial, import) until
    `held_until_ms`. `tail` names what came of a tus upload past its last whole chunk (`tails.py`). `counted_bytes`
    is what it takes of its owner's quota."""

    __tablename__ = "upload_uploads"

    upload_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(40))
    owner: Mapped[str] = mapped_column(String(64))
    form: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    filename: Mapped[str]
    content_type: Mapped[str] = mapped_column(String(128))
    size_bytes: Mapped[int]
    chunk_size_bytes: Mapped[int]
    received_bytes: Mapped[int]
    declared_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
    source_key: Mapped[str]
    multipart_token: Mapped[str]
    failure: Mapped[str] = mapped_column(String(128))
    failure_detail: Mapped[str]
    created_at_ms: Mapped[int]
    updated_at_ms: Mapped[int]
    expires_at_ms: Mapped[int]
    to_sweep: Mapped[bool]
    source_url: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer)
    holder: Mapped[str] = mapped_column(String(32))
    held_until_ms: Mapped[int]
    tail: Mapped[str]
    counted_bytes: Mapped[int]
    told_metadata: Mapped[str]
    told_concat: Mapped[str]
    final_id: Mapped[str] = mapped_column(String(40))

    __table_args__: tuple[Any, ...] = (
        Index("ix_upload_uploads_owner", "owner", "created_at_ms", "upload_id"),
        Index("ix_upload_uploads_content_id", "content_id"),
        Index("ix_upload_uploads_status", "status", "expires_at_ms"),
        Index("ix_upload_uploads_to_sweep", "to_sweep"),
    )


class ChunkRow(Base):
    """A chunk whose bytes are in the blob store (`is_done`), or are being written there by the one request that
    holds the claim: parts are written in place, so nobody else may write there, and no acknowledged chunk is ever
    written again. `tag` is the blob store's name for its bytes."""

    __tablename__ = "upload_chunks"

    upload_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    is_done: Mapped[bool]
    sha256: Mapped[str] = mapped_column(String(64))
    claim: Mapped[str] = mapped_column(String(32))
    claimed_until_ms: Mapped[int]
    tag: Mapped[str]


class SubjectRow(Base):
    """The revision of what upload has told about a content: one counter over all its uploads."""

    __tablename__ = "upload_subjects"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int]


class OwnerRow(Base):
    """How many uploads a person ever opened. Counting locks the row, so that the limit holds for those opened at
    once, too."""

    __tablename__ = "upload_owners"

    owner: Mapped[str] = mapped_column(String(64), primary_key=True)
    opened: Mapped[int]
