"""Whom a revocation names: people, and the wallets they had when it was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "streaming_revoked",
        sa.Column("revocation_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("revocation_id", "name", name=op.f("pk_streaming_revoked")),
    )
    # Those in force go on, for whom they name; addresses are in small letters already.
    for column in ("user_id", "address"):
        op.execute(
            f"INSERT INTO streaming_revoked (revocation_id, name) "  # noqa: S608 - the two names above
            f"SELECT revocation_id, {column} FROM streaming_revocations WHERE {column} <> ''"
        )
