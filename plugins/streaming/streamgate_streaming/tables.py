"""Streaming's tables. Times are milliseconds since 1970, UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, Index, Integer, LargeBinary, String, Text, false, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from streamgate.sdk.db import WRAPPED, Json, plugin_tables

TABLES = plugin_tables("streaming")


class Base(DeclarativeBase):
    metadata = TABLES
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own form
        int: BigInteger,
        str: Text,
        bytes: LargeBinary,
        list[str]: Json,
        dict[str, Any]: Json,
    }


class ContentRow(Base):
    """What all media versions of a content share: the newest source (and the upload that last failed: its end may
    be heard before its beginning), the counter of what was told about it, and its protection, which is metadata's: as
    of their revision `protection_revision`. The row stays when the content is
    deleted, so that what comes late finds that out."""

    __tablename__ = "streaming_contents"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int]
    newest_version: Mapped[int] = mapped_column(Integer)
    is_deleted: Mapped[bool] = mapped_column(Boolean)
    owner: Mapped[str] = mapped_column(String(64))
    upload_id: Mapped[str] = mapped_column(String(40))
    upload_revision: Mapped[int]
    failed_upload_id: Mapped[str] = mapped_column(String(40))
    source_key: Mapped[str]
    source_size_bytes: Mapped[int]
    protection: Mapped[str] = mapped_column(String(16), server_default="none")
    protection_revision: Mapped[int] = mapped_column(server_default="0")


class MediaRow(Base):
    """A media version. `root_id` is the job that plans it and the parent of all others. `playable` falls only
    with the version."""

    __tablename__ = "streaming_media"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(String(16))
    playable: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(String(16))
    duration_s: Mapped[float] = mapped_column(Float)
    root_id: Mapped[str] = mapped_column(String(64))
    upload_id: Mapped[str] = mapped_column(String(40))
    source_key: Mapped[str]
    source_size_bytes: Mapped[int]
    profile: Mapped[str] = mapped_column(String(64))
    policy: Mapped[str] = mapped_column(String(8), server_default="")
    priority: Mapped[int] = mapped_column(Integer)
    plan: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[str]]
    error_code: Mapped[str] = mapped_column(String(128))
    error_detail: Mapped[str]
    created_at_ms: Mapped[int]

    __table_args__ = (
        Index("ix_streaming_media_root_id", "root_id", unique=True),
        Index("ix_streaming_media_state", "state"),
    )


class RenditionRow(Base):
    """A planned rendition and how far it is. `segments_made` of `segments_planned` are in the index."""

    __tablename__ = "streaming_renditions"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    rendition_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    segments_planned: Mapped[int] = mapped_column(Integer)
    segments_made: Mapped[int] = mapped_column(Integer)
    made_bytes: Mapped[int]
    init_key: Mapped[str]
    init_sha256: Mapped[str] = mapped_column(String(64))
    init_size_bytes: Mapped[int]

    __table_args__ = (Index("ix_streaming_renditions_init_key", "init_key"),)


class SegmentRow(Base):
    """A made segment. Ticks are of its rendition's time scale."""

    __tablename__ = "streaming_segments"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    rendition_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    n: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    start_ticks: Mapped[int]
    duration_ticks: Mapped[int]
    first_frame_bytes: Mapped[int] = mapped_column(Integer, server_default="0")

    __table_args__ = (Index("ix_streaming_segments_key", "key"),)


class PictureRow(Base):
    """A JPEG file: `name` is `poster`, or the number of a sheet of the storyboard; a WebP file: `moving`.
    `media_version` 0: the creator's own."""

    __tablename__ = "streaming_pictures"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str]
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    width_px: Mapped[int] = mapped_column(Integer)
    height_px: Mapped[int] = mapped_column(Integer)

    __table_args__ = (Index("ix_streaming_pictures_key", "key"),)


class StoryboardRow(Base):
    """How the sheets of a media version are laid out, as in `contracts.pictures.Storyboard`."""

    __tablename__ = "streaming_storyboards"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    tile_width_px: Mapped[int] = mapped_column(Integer)
    tile_height_px: Mapped[int] = mapped_column(Integer)
    columns: Mapped[int] = mapped_column(Integer)
    rows: Mapped[int] = mapped_column(Integer)
    tiles: Mapped[int] = mapped_column(Integer)
    interval_ms: Mapped[int] = mapped_column(Integer)


class TextRow(Base):
    """Captions, or the chapters of a film, as WebVTT of our own. `name`: of captions their files', or `chapters`.
    `media_version` 0: the creator's own."""

    __tablename__ = "streaming_texts"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(40))
    label: Mapped[str] = mapped_column(String(128))
    is_default: Mapped[bool] = mapped_column(Boolean)
    cues: Mapped[int] = mapped_column(Integer)
    size_bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]


class WorkRow(Base):
    """A job asked for, and what it makes: chunk `chunk_n` of the eager pictures that are made together, or of
    `rendition_id`; one audio rendition; the segments of copied renditions, or of a lazy one, that are number `chunk_n`
    of those that a job cuts or encodes."""

    __tablename__ = "streaming_work"

    job_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(40))
    media_version: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(64))
    chunk_n: Mapped[int | None] = mapped_column(Integer)
    rendition_id: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("ix_streaming_work_content_id", "content_id", "media_version"),)


class GarbageRow(Base):
    """A blob that nothing names any more, or a prefix (it ends in `/`) below which everything is garbage that nothing
    names; the collector deletes after `due_at_ms`, then the row."""

    __tablename__ = "streaming_garbage"

    key: Mapped[str] = mapped_column(primary_key=True)
    due_at_ms: Mapped[int]

    __table_args__ = (Index("ix_streaming_garbage_due", "due_at_ms"),)


class CancelRow(Base):
    """A task to cancel that worker may not have heard of yet."""

    __tablename__ = "streaming_cancellations"

    root_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked_at_ms: Mapped[int]


class SessionRow(Base):
    """A playback session. `user_id` is empty for nobody known; then `client_id` alone says whose it is. Roles,
    address and credential (the sign-in or API key) are those of its latest opening. `is_preview`: nothing but the
    beginning was ever open in it. `is_sealed`: it plays what is encrypted."""

    __tablename__ = "streaming_sessions"

    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(40))
    media_version: Mapped[int] = mapped_column(Integer)
    user_id: Mapped[str] = mapped_column(String(64))
    client_id: Mapped[str] = mapped_column(String(128))
    roles: Mapped[list[str]]
    address: Mapped[str] = mapped_column(String(64))
    credential: Mapped[str] = mapped_column(String(64), server_default="")
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    gate_revision: Mapped[int]
    is_preview: Mapped[bool] = mapped_column(Boolean, server_default=false())
    is_sealed: Mapped[bool] = mapped_column(Boolean, server_default=false())
    created_at_ms: Mapped[int]
    seen_at_ms: Mapped[int]
    ended_at_ms: Mapped[int | None]

    __table_args__ = (
        Index(
            "ix_streaming_sessions_whose",
            "user_id",
            "client_id",
            "content_id",
            unique=True,
            sqlite_where=text("state <> 'ended'"),
            postgresql_where=text("state <> 'ended'"),
        ),
        Index("ix_streaming_sessions_content_id", "content_id", "media_version"),
        Index("ix_streaming_sessions_credential", "credential"),
        Index("ix_streaming_sessions_seen", "state", "seen_at_ms"),
    )


class LeafRow(Base):
    """A token contract a running session's decision rests on: transfers find sessions by it without a scan."""

    __tablename__ = "streaming_session_leaves"

    leaf_key: Mapped[str] = mapped_column(String(160), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)

    __table_args__ = (Index("ix_streaming_session_leaves_session_id", "session_id"),)


class TokenRow(Base):
    """The token a running session plays by: others have room with it while fewer people than the limit have."""

    __tablename__ = "streaming_session_tokens"

    token: Mapped[str] = mapped_column(String(256), primary_key=True)
    session_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index("ix_streaming_session_tokens_session_id", "session_id"),)


class RevocationRow(Base):
    """Who may not open sessions, of what, until when. Empty: `content_id` of everything, `user_id` and `address`
    together of everybody. `user_id`, `address`: how somebody was named; whom it refuses is in `RevokedRow`."""

    __tablename__ = "streaming_revocations"

    revocation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    content_id: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    until_ms: Mapped[int]
    made_at_ms: Mapped[int]
    made_by: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(200))

    __table_args__ = (Index("ix_streaming_revocations_content_id", "content_id", "until_ms"),)


class RevokedRow(Base):
    """Whom a revocation refuses: a person, or a wallet that was theirs when it was made, hexadecimal ones in small
    letters."""

    __tablename__ = "streaming_revoked"

    revocation_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)


class KeyRow(Base):
    """A key of ours, wrapped by the master key under its purpose."""

    __tablename__ = "streaming_keys"

    purpose: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(info={WRAPPED: "{purpose}"})
    created_at_ms: Mapped[int]


class SecretRow(Base):
    """What all keys of a media version derive from, once it is encrypted. It stays while the version does, so that
    nothing else ever stands under the same address."""

    __tablename__ = "streaming_secrets"

    content_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    media_version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes] = mapped_column(info={WRAPPED: "streaming.content/{content_id}/{media_version}"})
    key_period_s: Mapped[float] = mapped_column(Float)
    created_at_ms: Mapped[int]
