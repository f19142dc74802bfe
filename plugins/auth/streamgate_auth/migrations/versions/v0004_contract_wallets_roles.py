"""Contract wallets, named sign ins, granted roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "auth_roles",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("granted_by", sa.String(length=40), nullable=False),
        sa.Column("granted_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("address", "chain", "role", "source", name=op.f("pk_auth_roles")),
    )
    with op.batch_alter_table("auth_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.String(length=100), server_default="", nullable=False))
        batch_op.add_column(sa.Column("proof", sa.LargeBinary(), nullable=True))

    # Wallets known so far are keys: those have no chain.
    with op.batch_alter_table("auth_wallets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("chain", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("proof", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("doubted_at_ms", sa.BigInteger(), nullable=True))
        batch_op.drop_constraint("pk_auth_wallets", type_="primary")
        batch_op.create_primary_key("pk_auth_wallets", ["namespace", "address", "chain"])
