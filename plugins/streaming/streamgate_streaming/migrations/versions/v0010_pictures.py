"""Posters and storyboards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "streaming_pictures",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", "name", name=op.f("pk_streaming_pictures")),
    )
    op.create_index("ix_streaming_pictures_key", "streaming_pictures", ["key"])
    op.create_table(
        "streaming_storyboards",
        sa.Column("content_id", sa.String(length=40), nullable=False),
        sa.Column("media_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tile_width_px", sa.Integer(), nullable=False),
        sa.Column("tile_height_px", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("tiles", sa.Integer(), nullable=False),
        sa.Column("interval_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("content_id", "media_version", name=op.f("pk_streaming_storyboards")),
    )
