"""Imports, tus, quotas; the tags of parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("upload_chunks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tag", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("upload_uploads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source_url", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("holder", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("held_until_ms", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("tail", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("counted_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE upload_uploads SET counted_bytes = size_bytes WHERE status IN ('receiving', 'verifying', 'complete')"
    )
    with op.batch_alter_table("upload_chunks", schema=None) as batch_op:
        batch_op.alter_column("tag", server_default=None)
    with op.batch_alter_table("upload_uploads", schema=None) as batch_op:
        for name in ("source_url", "attempts", "holder", "held_until_ms", "tail", "counted_bytes"):
            batch_op.alter_column(name, server_default=None)
