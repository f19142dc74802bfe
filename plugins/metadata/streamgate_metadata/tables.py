"""Metadata's tables. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, Index, Integer, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from streamgate.sdk.db.tables import Json, RowId, plugin_tables

TABLES = plugin_tables("metadata", unmanaged=("metadata_fts", "metadata_near", "fts_"))


class Base(DeclarativeBase):
    metadata = TABLES
    type_annotation_map = {int: BigInteger, str: Text, list[str]: Json}  # noqa: RUF012 - SQLAlchemy's own form


class ContentRow(Base):
    """A content. `published_at_ms` is set while the content has a gate; None means private to its owner.
    `title_key` is the title without case, for sorting; `search_text` what is searched for signs that make no word."""

    __tablename__ = "metadata_contents"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    title: Mapped[str]
    title_key: Mapped[str]
    description: Mapped[str]
    category: Mapped[str] = mapped_column(String(64))
    tags: Mapped[list[str]]
    search_text: Mapped[str]
    visibility: Mapped[str] = mapped_column(String(16))
    protection: Mapped[str] = mapped_column(String(16))
    published_at_ms: Mapped[int | None]
    created_at_ms: Mapped[int]
    updated_at_ms: Mapped[int]
    revision: Mapped[int]

    state: Mapped[str] = mapped_column(String(16))
    playable: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(String(16))
    duration_s: Mapped[float] = mapped_column(Float)
    media_version: Mapped[int] = mapped_column(Integer)
    warnings: Mapped[list[str]]
    failure: Mapped[str] = mapped_column(String(128))
    failure_detail: Mapped[str]
    has_poster: Mapped[bool] = mapped_column(Boolean, server_default=false())
    has_moving_poster: Mapped[bool] = mapped_column(Boolean, server_default=false())
    source_upload_id: Mapped[str] = mapped_column(String(40))
    was_playable: Mapped[bool] = mapped_column(Boolean)

    __table_args__: tuple[Any, ...] = (
        Index("ix_metadata_contents_created", "created_at_ms", "content_id"),
        Index("ix_metadata_contents_title", "title_key", "content_id"),
        Index("ix_metadata_contents_owner", "owner", "created_at_ms"),
        Index("ix_metadata_contents_duration", "duration_s", "content_id"),
    )


class TagRow(Base):
    """A tag without case, for the filter; its spelling is in the content's own row."""

    __tablename__ = "metadata_tags"

    tag_key: Mapped[str] = mapped_column(String(200), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)

    __table_args__ = (Index("ix_metadata_tags_content_id", "content_id"),)


class DocumentRow(Base):
    """A content in the search index, by number: the newest has the highest. PostgreSQL has its words in a column beside
    (`fts_vector`), SQLite in a table of its own (`metadata_fts`); both are in the migrations only."""

    __tablename__ = "metadata_documents"

    doc_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    content_id: Mapped[str] = mapped_column(String(40), unique=True)
    version: Mapped[int] = mapped_column(Integer, index=True)

    __table_args__: tuple[Any, ...] = ({"sqlite_autoincrement": True},)


class WordRow(Base):
    """A word that occurs somewhere, for what a misspelt one may mean."""

    __tablename__ = "metadata_words"

    word_id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    word: Mapped[str] = mapped_column(String(64), unique=True)


class HeardRow(Base):
    """The highest revision heard of a content from one producer of events."""

    __tablename__ = "metadata_heard"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    producer: Mapped[str] = mapped_column(String(32), primary_key=True)
    revision: Mapped[int]
