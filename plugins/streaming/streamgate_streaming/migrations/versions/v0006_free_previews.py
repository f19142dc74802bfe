"""Free previews."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("streaming_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("is_preview", sa.Boolean(), server_default=sa.false(), nullable=False))
