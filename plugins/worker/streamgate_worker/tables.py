"""Worker's tables: the queue, the kinds it knows, schedules, and what belongs to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text, text

from streamgate.sdk.db import WRAPPED, Json, plugin_tables
from streamgate.sdk.lease import leader_table

TABLES = plugin_tables("worker")

leaders = leader_table(TABLES)

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
    Column("traceparent", String(100), nullable=False),
    Column("status", String(20), nullable=False),
    # What leasing looks at: `ready` (may be leased now), `rests` (waits for its time), `held` (its task is paused),
    # empty (runs, or has ended).
    # What is ready has indexes of its own, however much rests or has ended.
    Column("place", String(8), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("run_at_ms", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    # The last lease given. It counts while the status is `running`; afterwards it tells a repeated last word.
    Column("lease_id", String(40), nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("leased_at_ms", BigInteger, nullable=False),
    Column("has_told", Boolean, nullable=False),  # under this lease a checkpoint was told: its blobs may be in use
    Column("runner", String(200), nullable=False),
    Column("progress", Float, nullable=False),
    Column("stage", String(200), nullable=False),
    Column("result", Json),
    Column("error_code", String(100), nullable=False),
    Column("error_detail", Text, nullable=False),
    Column("is_task_cancelled", Boolean, nullable=False),  # of a root: children that come later are cancelled too
    Column("paused_at_ms", BigInteger),  # of a root: since when its task is paused; NULL: it is not
    Column("paused_ms", BigInteger, nullable=False, server_default="0"),  # of a root: its earlier pauses together
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("started_at_ms", BigInteger),
    Column("finished_at_ms", BigInteger),
    Index(None, "status", "kind", "run_at_ms"),
    Index(None, "owner", "created_at_ms"),
    Index(None, "owner", "status"),
    Index(None, "created_at_ms"),
    Index(None, "finished_at_ms"),
)


def _only(name: str, where: str, *columns: str) -> Index:
    """An index of the few rows that leasing looks at. Queries must say the same condition, with the same literals."""
    found = [jobs.c[column] for column in columns]
    return Index(name, *found, sqlite_where=text(where), postgresql_where=text(where))


_only("ix_worker_jobs_ready", "place = 'ready'", "kind", "owner", "priority", "run_at_ms", "job_id")
_only("ix_worker_jobs_urgent", "place = 'ready' AND priority <= 1", "kind", "priority", "run_at_ms", "job_id")
_only("ix_worker_jobs_rests", "place = 'rests'", "run_at_ms")
_only("ix_worker_jobs_running", "status = 'running'", "lease_until_ms", "owner")

attempts = Table(
    "worker_attempts",  # those that ended without success
    TABLES,
    Column("lease_id", String(40), primary_key=True),
    Column("job_id", String(40), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("runner", String(200), nullable=False),
    Column("began_at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("code", String(100), nullable=False),
    Column("detail", Text, nullable=False),
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

schedules = Table(
    "worker_schedules",
    TABLES,
    Column("owner", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("cron", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("kind", String(100), nullable=False),
    Column("payload", Json, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("catches_up", Boolean, nullable=False),
    Column("next_run_at_ms", BigInteger),  # NULL where it is not enabled
    Column("last_run_at_ms", BigInteger),
    Column("last_job_id", String(40), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Index(None, "next_run_at_ms"),
)

_WRAPPED = {WRAPPED: "worker.webhook:{owner}/{name}"}

webhook_secrets = Table(
    "worker_webhook_secrets",
    TABLES,
    Column("owner", String(100), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("current", LargeBinary, nullable=False, info=_WRAPPED),
    Column("previous", LargeBinary, info=_WRAPPED),
    Column("previous_until_ms", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("rotated_at_ms", BigInteger, nullable=False),
)

garbage = Table(
    "worker_garbage",  # prefixes of leases that came to nothing
    TABLES,
    Column("prefix", String(300), primary_key=True),
    Column("due_at_ms", BigInteger, nullable=False, index=True),
)
