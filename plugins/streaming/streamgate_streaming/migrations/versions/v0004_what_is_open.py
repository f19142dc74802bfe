"""What is open."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("streaming_media", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_media_state", ["state"], unique=False)

    with op.batch_alter_table("streaming_work", schema=None) as batch_op:
        batch_op.create_index("ix_streaming_work_content_id", ["content_id", "media_version"], unique=False)
