"""What tus has beside its core: metadata told again, partial uploads and what they are made into."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NEW = ("told_metadata", "told_concat", "final_id")


def upgrade() -> None:
    with op.batch_alter_table("upload_uploads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_metadata", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("told_concat", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("final_id", sa.String(length=40), nullable=False, server_default=""))
    with op.batch_alter_table("upload_uploads", schema=None) as batch_op:
        for name in _NEW:
            batch_op.alter_column(name, server_default=None)
