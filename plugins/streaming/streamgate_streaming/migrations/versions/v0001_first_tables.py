"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "streaming_contents",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("newest_version", sa.Integer(), nullable=False),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("upload_id", sa.String(length=40), nullable=False),
        sa.Column("upload_revision", sa.BigInteger(), nullable=False),
        sa.Column("failed_upload_id", sa.String(length=40), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_streaming_contents")),
    )
    op.create_table(
        "streaming_garbage",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_streaming_garbage")),
    )
    with op.batch_alter_table("streaming_garbage", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_garbage_due", ["due_at_ms"], unique=False)

    op.create_table(
        "streaming_inbox",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_streaming_inbox")),
    )
    with op.batch_alter_table("streaming_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_streaming_inbox_seen_at_ms"), ["seen_at_ms"], unique=False)

    op.create_table(
        "streaming_keys",
        sa.Column("purpose", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("purpose", "key_id", name=op.f("pk_streaming_keys")),
    )
    op.create_table(
        "streaming_media",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("playable", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("root_id", sa.String(length=64), nullable=False),
        sa.Column("upload_id", sa.String(length=40), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("profile", sa.String(length=64), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("plan", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("error_code", sa.String(length=128), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", name=op.f("pk_streaming_media")),
    )
    with op.batch_alter_table("streaming_media", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_media_root_id", ["root_id"], unique=True)

    op.create_table(
        "streaming_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_streaming_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "streaming_renditions",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rendition_id", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("segments_planned", sa.Integer(), nullable=False),
        sa.Column("segments_made", sa.Integer(), nullable=False),
        sa.Column("made_bytes", sa.BigInteger(), nullable=False),
        sa.Column("init_key", sa.Text(), nullable=False),
        sa.Column("init_sha256", sa.String(length=64), nullable=False),
        sa.Column("init_size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", "rendition_id", name=op.f("pk_streaming_renditions")),
    )
    op.create_table(
        "streaming_segments",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rendition_id", sa.String(length=32), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("start_ticks", sa.BigInteger(), nullable=False),
        sa.Column("duration_ticks", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", "rendition_id", "n", name=op.f("pk_streaming_segments")),
    )
    op.create_table(
        "streaming_session_leaves",
        sa.Column("leaf_key", sa.String(length=160), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("leaf_key", "session_id", name=op.f("pk_streaming_session_leaves")),
    )
    with op.batch_alter_table("streaming_session_leaves", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_session_leaves_session_id", ["session_id"], unique=False)

    op.create_table(
        "streaming_sessions",
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=128), nullable=False),
        sa.Column("roles", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("gate_revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_streaming_sessions")),
    )
    with op.batch_alter_table("streaming_sessions", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_sessions_content_id", ["content_id", "media_version"], unique=False)
        batch_op.create_index("ix_streaming_sessions_seen", ["state", "seen_at_ms"], unique=False)
        batch_op.create_index(
            "ix_streaming_sessions_whose",
            ["user_id", "client_id", "content_id"],
            unique=True,
            sqlite_where=sa.text("state <> 'ended'"),
            postgresql_where=sa.text("state <> 'ended'"),
        )

    op.create_table(
        "streaming_work",
        sa.Column("job_id", sa.String(length=64), nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("chunk_n", sa.Integer(), nullable=True),
        sa.Column("rendition_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_streaming_work")),
    )
