"""Playback taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "streaming_revocations",
        sa.Column("revocation_id", sa.String(length=40), nullable=False),
        sa.Column("content_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("revocation_id", name=op.f("pk_streaming_revocations")),
    )
    with op.batch_alter_table("streaming_revocations", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_revocations_content_id", ["content_id", "until_ms"], unique=False)
