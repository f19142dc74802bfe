"""What opened it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    with op.batch_alter_table("streaming_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("credential", sa.String(length=64), nullable=False, server_default=""))
        batch_op.create_index("ix_streaming_sessions_credential", ["credential"], unique=False)
