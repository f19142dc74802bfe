"""Which rungs of a media version are made in advance."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("streaming_media", sa.Column("policy", sa.String(length=8), server_default="", nullable=False))
