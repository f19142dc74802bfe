"""Whether a content has a poster; streaming says so of each that gets one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("metadata_contents", sa.Column("has_poster", sa.Boolean(), server_default=sa.false(), nullable=False))
