"""Uploads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "upload_chunks",
        sa.Column("upload_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("claim", sa.String(length=32), nullable=False),
        sa.Column("claimed_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_upload_chunks")),
    )
    op.create_table(
        "upload_inbox",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_upload_inbox")),
    )
    with op.batch_alter_table("upload_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_upload_inbox_seen_at_ms"), ["seen_at_ms"], unique=False)

    op.create_table(
        "upload_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_upload_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "upload_owners",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_upload_owners")),
    )
    op.create_table(
        "upload_subjects",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", name=op.f("pk_upload_subjects")),
    )
    op.create_table(
        "upload_uploads",
        sa.Column("upload_id", sa.String(length=40), nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("form", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("content_type", sa.String(length=128), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunk_size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("declared_sha256", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("multipart_token", sa.Text(), nullable=False),
        sa.Column("failure", sa.String(length=128), nullable=False),
        sa.Column("failure_detail", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("to_sweep", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_upload_uploads")),
    )
    with op.batch_alter_table("upload_uploads", schema=None) as batch_op:
        batch_op.create_index("ix_upload_uploads_content_id", ["content_id"], unique=False)
        batch_op.create_index("ix_upload_uploads_owner", ["owner", "created_at_ms", "upload_id"], unique=False)
        batch_op.create_index("ix_upload_uploads_status", ["status", "expires_at_ms"], unique=False)
        batch_op.create_index("ix_upload_uploads_to_sweep", ["to_sweep"], unique=False)
