"""Who names a blob."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("streaming_renditions", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_renditions_init_key", ["init_key"], unique=False)

    with op.batch_alter_table("streaming_segments", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_segments_key", ["key"], unique=False)
