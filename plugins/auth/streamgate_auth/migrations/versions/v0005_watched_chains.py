"""Who follows the chains, how far, and which contracts the gates name that are stored already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "auth_leaders",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_auth_leaders")),
    )
    op.create_table(
        "auth_moved_contracts",
        sa.Column("subject_id", sa.String(length=140), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name=op.f("pk_auth_moved_contracts")),
    )
    op.create_table(
        "auth_watched_blocks",
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("moved", _json(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "number", name=op.f("pk_auth_watched_blocks")),
    )
    op.create_table(
        "auth_watched_chains",
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("rewinds", sa.BigInteger(), nullable=False),
        sa.Column("contracts_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", name=op.f("pk_auth_watched_chains")),
    )
    op.create_table(
        "auth_watched_contracts",
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("since_block", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain", "contract", name=op.f("pk_auth_watched_contracts")),
    )
    _note_named_tokens()


def _json() -> sa.JSON[Any]:
    return sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def _note_named_tokens() -> None:
    """As a gate that is set from now on does by itself."""
    refs = sa.table("auth_gate_refs", sa.column("holder", sa.String()), sa.column("ref", sa.String()))
    rows = [
        {"holder": holder, "ref": ref}
        for name, key in (("auth_gates", "content_id"), ("auth_gate_collections", "collection_id"))
        for holder, rule in _rules(name, key)
        for ref in dict.fromkeys(_tokens(rule))
        if len(ref) <= 100
    ]
    if rows:
        op.bulk_insert(refs, rows)


def _rules(name: str, key: str) -> list[tuple[str, object]]:
    table = sa.table(name, sa.column(key, sa.String()), sa.column("rule", _json()))
    return [(holder, rule) for holder, rule in op.get_bind().execute(sa.select(table.c[key], table.c.rule))]


def _tokens(rule: object) -> Iterator[str]:
    if isinstance(rule, dict):
        chain, contract = rule.get("chain"), rule.get("contract")
        if isinstance(chain, str) and isinstance(contract, str):
            yield f"token:{chain}/{contract.lower() if contract.startswith('0x') else contract}"
        for inner in rule.values():
            yield from _tokens(inner)
    elif isinstance(rule, list):
        for inner in rule:
            yield from _tokens(inner)
