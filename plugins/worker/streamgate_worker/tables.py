"""Worker's tables: the queue, and the kinds it knows."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from streamgate.sdk.db import Json, plugin_tables

TABLES = plugin_tables("worker")

jobs = Table(
    "worker_jobs",
    TABLES,
    Column("job_id", String(40), primary_key=True),
    Column("root_id", String(40), nullable=False, index=True),
    Column("kind", String(100), nullable=False),
    Column("payload", Json, nullable=False),
    Column("idempotency_key", String(300), nullable=False, unique=True),
    Column("owner", String(100), nullable=False),
    Column("subject_id", String(100), nullable=False, index=True),
    Column("status", String(20), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("run_at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    # The last lease given. It counts while the status is `running`; afterwards it tells a repeated last word.
    Column("lease_id", String(40), nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("runner", String(200), nullable=False),
    Column("progress", Float, nullable=False),
    Column("stage", String(200), nullable=False),
    Column("error_code", String(100), nullable=False),
    Column("error_detail", Text, nullable=False),
    Column("is_task_cancelled", Boolean, nullable=False),  # of a root: children that come later are cancelled too
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Index(None, "status", "priority", "run_at_ms"),
    Index(None, "status", "lease_until_ms"),
    Index(None, "owner", "created_at_ms"),
    Index(None, "created_at_ms"),
)

kinds = Table(
    "worker_kinds",
    TABLES,
    Column("name", String(100), primary_key=True),
    Column("summary", Text, nullable=False),
    Column("plugin", String(100), nullable=False),
    Column("payload_schema", Json, nullable=False),
    Column("user_may_submit", Boolean, nullable=False),
)
