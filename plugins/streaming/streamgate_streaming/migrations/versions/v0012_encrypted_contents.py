"""Encrypted contents."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "streaming_secrets",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("key_period_s", sa.Float(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", name=op.f("pk_streaming_secrets")),
    )
    with op.batch_alter_table("streaming_contents", schema=None) as batch_op:
        batch_op.add_column(sa.Column("protection", sa.String(length=16), server_default="none", nullable=False))
        batch_op.add_column(sa.Column("protection_revision", sa.BigInteger(), server_default="0", nullable=False))
    with op.batch_alter_table("streaming_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_sealed", sa.Boolean(), server_default=sa.false(), nullable=False))
