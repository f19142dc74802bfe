"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "worker_inbox",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_worker_inbox")),
    )
    with op.batch_alter_table("worker_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_inbox_seen_at_ms"), ["seen_at_ms"], unique=False)

    op.create_table(
        "worker_jobs",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("root_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("payload", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("idempotency_key", sa.String(length=300), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("subject_id", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("lease_id", sa.String(length=40), nullable=False),
        sa.Column("lease_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("runner", sa.String(length=200), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("stage", sa.String(length=200), nullable=False),
        sa.Column("checkpoint", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.Column("error_code", sa.String(length=100), nullable=False),
        sa.Column("error_detail", sa.Text(), nullable=False),
        sa.Column("is_task_cancelled", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("finished_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_worker_jobs")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_worker_jobs_idempotency_key")),
    )
    with op.batch_alter_table("worker_jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_worker_jobs_created_at_ms"), ["created_at_ms"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_worker_jobs_owner_created_at_ms"), ["owner", "created_at_ms"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_worker_jobs_root_id"), ["root_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_worker_jobs_status_lease_until_ms"), ["status", "lease_until_ms"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_worker_jobs_status_priority_run_at_ms"), ["status", "priority", "run_at_ms"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_worker_jobs_subject_id"), ["subject_id"], unique=False)

    op.create_table(
        "worker_kinds",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("plugin", sa.String(length=100), nullable=False),
        sa.Column("payload_schema", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("user_may_submit", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_kinds")),
    )
    op.create_table(
        "worker_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_worker_outbox")),
        sqlite_autoincrement=True,
    )
