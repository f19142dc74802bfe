"""Gate language."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "auth_gate_collections",
        sa.Column("collection_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("collection_id", name=op.f("pk_auth_gate_collections")),
    )
    with op.batch_alter_table("auth_gate_collections", schema=None) as batch_op:
        batch_op.create_index("ix_auth_gate_collections_owner", ["owner"], unique=False)

    op.create_table(
        "auth_gate_decisions",
        sa.Column("decision_id", sa.String(length=40), nullable=False),
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("basis", sa.String(length=40), nullable=False),
        sa.Column("max_height_px", sa.BigInteger(), nullable=True),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("explanation", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("readings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_auth_gate_decisions")),
    )
    with op.batch_alter_table("auth_gate_decisions", schema=None) as batch_op:
        batch_op.create_index("ix_auth_gate_decisions_at_ms", ["at_ms"], unique=False)
        batch_op.create_index("ix_auth_gate_decisions_content_id", ["content_id", "at_ms", "decision_id"], unique=False)

    op.create_table(
        "auth_gate_invitations",
        sa.Column("invitation_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("campaign", sa.String(length=50), nullable=False),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("invitation_id", name=op.f("pk_auth_gate_invitations")),
        sa.UniqueConstraint("digest", name=op.f("uq_auth_gate_invitations_digest")),
    )
    with op.batch_alter_table("auth_gate_invitations", schema=None) as batch_op:
        batch_op.create_index("ix_auth_gate_invitations_scope_id", ["scope_id", "created_at_ms"], unique=False)

    op.create_table(
        "auth_gate_list_parts",
        sa.Column("root", sa.String(length=66), nullable=False),
        sa.Column("first_byte", sa.BigInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("root", "first_byte", name=op.f("pk_auth_gate_list_parts")),
    )
    op.create_table(
        "auth_gate_lists",
        sa.Column("list_id", sa.String(length=40), nullable=False),
        sa.Column("owner", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("root", sa.String(length=66), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("list_id", name=op.f("pk_auth_gate_lists")),
    )
    with op.batch_alter_table("auth_gate_lists", schema=None) as batch_op:
        batch_op.create_index("ix_auth_gate_lists_owner_root", ["owner", "root"], unique=True)
        batch_op.create_index("ix_auth_gate_lists_root", ["root"], unique=False)

    op.create_table(
        "auth_gate_proofs",
        sa.Column("root", sa.String(length=66), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("proven_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("root", "address", name=op.f("pk_auth_gate_proofs")),
    )
    op.create_table(
        "auth_gate_redemptions",
        sa.Column("scope_id", sa.String(length=40), nullable=False),
        sa.Column("campaign", sa.String(length=50), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("invitation_id", sa.String(length=40), nullable=False),
        sa.Column("redeemed_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope_id", "campaign", "user_id", name=op.f("pk_auth_gate_redemptions")),
    )
    op.create_table(
        "auth_gate_refs",
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("ref", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("holder", "ref", name=op.f("pk_auth_gate_refs")),
    )
    with op.batch_alter_table("auth_gate_refs", schema=None) as batch_op:
        batch_op.create_index("ix_auth_gate_refs_ref", ["ref"], unique=False)

    op.create_table(
        "auth_gate_revisions",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("collections", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("made_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "revision", name=op.f("pk_auth_gate_revisions")),
    )
    with op.batch_alter_table("auth_gates", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True)
        )

    # What stands now is the first revision that is kept of each gate.
    op.execute(
        "INSERT INTO auth_gate_revisions (content_id, revision, document, collections, made_at_ms, made_by) "
        "SELECT content_id, revision, rule, '{}', updated_at_ms, updated_by FROM auth_gates"
    )
