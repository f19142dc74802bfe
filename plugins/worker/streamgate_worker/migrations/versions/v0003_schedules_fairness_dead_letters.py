"""Schedules, fair leasing, the history of attempts, secrets of webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    _change_jobs()
    _create_tables()


def _change_jobs() -> None:
    """Jobs that wait become `rests`; the first look takes those whose time has come as ready."""
    with op.batch_alter_table("worker_jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_worker_jobs_status_priority_run_at_ms")
        batch_op.add_column(sa.Column("traceparent", sa.String(length=100), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("place", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("leased_at_ms", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("has_told", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch_op.add_column(sa.Column("result", JSON, nullable=True))
        batch_op.create_index("ix_worker_jobs_status_kind_run_at_ms", ["status", "kind", "run_at_ms"])
        batch_op.create_index("ix_worker_jobs_owner_status", ["owner", "status"])
    op.execute("UPDATE worker_jobs SET place = 'rests' WHERE status IN ('queued', 'scheduled')")
    _create_partial("ready", "place = 'ready'", ["kind", "owner", "priority", "run_at_ms", "job_id"])
    _create_partial("urgent", "place = 'ready' AND priority <= 1", ["kind", "priority", "run_at_ms", "job_id"])
    _create_partial("rests", "place = 'rests'", ["run_at_ms"])


def _create_partial(name: str, where: str, columns: list[str]) -> None:
    condition = sa.text(where)
    op.create_index(
        f"ix_worker_jobs_{name}", "worker_jobs", columns, sqlite_where=condition, postgresql_where=condition
    )


def _create_tables() -> None:
    op.create_table(
        "worker_leaders",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_leaders")),
    )
    op.create_table(
        "worker_attempts",
        sa.Column("lease_id", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("runner", sa.String(length=200), nullable=False),
        sa.Column("began_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("lease_id", name=op.f("pk_worker_attempts")),
    )
    op.create_index("ix_worker_attempts_job_id", "worker_attempts", ["job_id"])
    op.create_table(
        "worker_schedules",
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("cron", sa.String(length=200), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("catches_up", sa.Boolean(), nullable=False),
        sa.Column("next_run_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_run_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_job_id", sa.String(length=40), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_worker_schedules")),
    )
    op.create_index("ix_worker_schedules_next_run_at_ms", "worker_schedules", ["next_run_at_ms"])
    op.create_table(
        "worker_webhook_secrets",
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("current", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "name", name=op.f("pk_worker_webhook_secrets")),
    )
    op.create_table(
        "worker_garbage",
        sa.Column("prefix", sa.String(length=300), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("prefix", name=op.f("pk_worker_garbage")),
    )
    op.create_index("ix_worker_garbage_due_at_ms", "worker_garbage", ["due_at_ms"])
