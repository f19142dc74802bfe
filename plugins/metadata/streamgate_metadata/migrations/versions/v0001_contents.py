"""Contents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "metadata_contents",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("title_key", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=64), nullable=False),
        sa.Column("tags", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("protection", sa.String(length=16), nullable=False),
        sa.Column("published_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("playable", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("media_version", sa.Integer(), nullable=False),
        sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("failure", sa.String(length=128), nullable=False),
        sa.Column("failure_detail", sa.Text(), nullable=False),
        sa.Column("source_upload_id", sa.String(length=40), nullable=False),
        sa.Column("was_playable", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_metadata_contents")),
    )
    with op.batch_alter_table("metadata_contents", schema=None) as batch_op:
        batch_op.create_index("ix_metadata_contents_created", ["created_at_ms", "content_id"], unique=False)
        batch_op.create_index("ix_metadata_contents_owner", ["owner", "created_at_ms"], unique=False)
        batch_op.create_index("ix_metadata_contents_title", ["title_key", "content_id"], unique=False)

    op.create_table(
        "metadata_heard",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("producer", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "producer", name=op.f("pk_metadata_heard")),
    )
    op.create_table(
        "metadata_inbox",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_metadata_inbox")),
    )
    with op.batch_alter_table("metadata_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_metadata_inbox_seen_at_ms"), ["seen_at_ms"], unique=False)

    op.create_table(
        "metadata_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_metadata_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "metadata_tags",
        sa.Column("tag_key", sa.String(length=200), nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("tag_key", "content_id", name=op.f("pk_metadata_tags")),
    )
    with op.batch_alter_table("metadata_tags", schema=None) as batch_op:
        batch_op.create_index("ix_metadata_tags_content_id", ["content_id"], unique=False)
