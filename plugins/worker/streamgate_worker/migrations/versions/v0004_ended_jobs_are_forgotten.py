"""Ended jobs are forgotten."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_index("ix_worker_jobs_finished_at_ms", "worker_jobs", ["finished_at_ms"])
