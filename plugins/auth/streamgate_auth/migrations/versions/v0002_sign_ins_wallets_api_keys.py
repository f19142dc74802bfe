"""Sign ins wallets api keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "auth_api_keys",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("roles", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("used_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_auth_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_auth_api_keys_digest")),
    )
    with op.batch_alter_table("auth_api_keys", schema=None) as batch_op:
        batch_op.create_index("ix_auth_api_keys_revoked_at_ms", ["revoked_at_ms"], unique=False)
        batch_op.create_index("ix_auth_api_keys_user_id", ["user_id"], unique=False)

    with op.batch_alter_table("auth_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scheme", sa.String(length=32), server_default="siwe", nullable=False))
        batch_op.add_column(sa.Column("chain", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("user_agent", sa.String(length=200), server_default="", nullable=False))
        batch_op.add_column(sa.Column("client", sa.String(length=64), server_default="", nullable=False))
        batch_op.create_index("ix_auth_sessions_ended_at_ms", ["ended_at_ms"], unique=False)

    with op.batch_alter_table("auth_users", schema=None) as batch_op:
        batch_op.add_column(sa.Column("primary_address", sa.String(length=64), nullable=True))
