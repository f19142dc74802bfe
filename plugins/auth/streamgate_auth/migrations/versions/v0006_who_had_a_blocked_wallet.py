"""Who had a blocked wallet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "auth_barred",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("of_address", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", "of_address", name=op.f("pk_auth_barred")),
    )
