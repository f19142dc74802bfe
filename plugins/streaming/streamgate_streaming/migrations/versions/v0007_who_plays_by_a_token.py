"""Who plays by a token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "streaming_session_tokens",
        sa.Column("token", sa.String(length=256), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("token", "session_id", name=op.f("pk_streaming_session_tokens")),
    )
    with op.batch_alter_table("streaming_session_tokens", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_session_tokens_session_id", ["session_id"], unique=False)
