"""Where the key frame of a segment ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    column = sa.Column("first_frame_bytes", sa.Integer(), server_default="0", nullable=False)
    op.add_column("streaming_segments", column)
