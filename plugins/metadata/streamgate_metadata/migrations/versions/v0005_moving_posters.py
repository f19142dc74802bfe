"""Whether a content's poster moves; streaming says so with the poster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    moves: sa.Column[bool] = sa.Column("has_moving_poster", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("metadata_contents", moves)
