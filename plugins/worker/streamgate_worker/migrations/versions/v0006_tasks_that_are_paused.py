"""Tasks that are paused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("worker_jobs", sa.Column("paused_at_ms", sa.BigInteger(), nullable=True))
    paused = sa.Column("paused_ms", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("worker_jobs", paused)
