"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

FRESH = {"enabled": True, "created_at_ms": 0, "updated_at_ms": 0}
EMPTY = {"labels": {}, "aggregate": "sum", "value": 0.0, "for_s": 0.0, "window_s": 60.0, "notify_url": ""}
FIRST_RULES = (
    EMPTY
    | {
        "name": "A service is not well",
        "metric": "streamgate_service_up",
        "kind": "threshold",
        "aggregate": "min",
        "op": "<",
        "value": 1.0,
        "for_s": 30.0,
        "severity": "critical",
    },
    EMPTY
    | {
        "name": "Requests fail",
        "metric": "streamgate_http_request_duration_seconds_count",
        "labels": {"status": "5xx"},
        "kind": "rate",
        "op": ">",
        "value": 1.0,
        "for_s": 60.0,
        "severity": "warning",
    },
    EMPTY
    | {
        "name": "Events were given up",
        "metric": "streamgate_events_dead_letters",
        "kind": "threshold",
        "op": ">",
        "severity": "warning",
    },
)
"""What a new installation looks at; operators change and delete them like their own."""


def upgrade() -> None:
    op.create_table(
        "monitor_alerts",
        sa.Column("alert_id", sa.String(length=40), nullable=False),
        sa.Column("rule_id", sa.String(length=40), nullable=False),
        sa.Column("rule_name", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.String(length=10), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=100), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name=op.f("pk_monitor_alerts")),
    )
    with op.batch_alter_table("monitor_alerts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_monitor_alerts_rule_id_resolved_at_ms"), ["rule_id", "resolved_at_ms"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_monitor_alerts_started_at_ms"), ["started_at_ms"], unique=False)

    op.create_table(
        "monitor_audit",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("act", sa.String(length=100), nullable=False),
        sa.Column("outcome", sa.String(length=10), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("who_kind", sa.String(length=10), nullable=False),
        sa.Column("address", sa.String(length=100), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("subject_id", sa.String(length=500), nullable=False),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_monitor_audit")),
        sa.UniqueConstraint("event_id", name=op.f("uq_monitor_audit_event_id")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("monitor_audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_audit_at_ms"), ["at_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_audit_request_id"), ["request_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_audit_subject_id_seq"), ["subject_id", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_audit_who_seq"), ["who", "seq"], unique=False)

    op.create_table(
        "monitor_health",
        sa.Column("at_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("services", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("at_ms", name=op.f("pk_monitor_health")),
    )
    op.create_table(
        "monitor_inbox",
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_monitor_inbox")),
    )
    with op.batch_alter_table("monitor_inbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_inbox_seen_at_ms"), ["seen_at_ms"], unique=False)

    op.create_table(
        "monitor_leaders",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_monitor_leaders")),
    )
    op.create_table(
        "monitor_logs",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("service", sa.String(length=100), nullable=False),
        sa.Column("instance", sa.String(length=200), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("trace_id", sa.String(length=32), nullable=False),
        sa.Column("fields", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_monitor_logs")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("monitor_logs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_logs_at_ms"), ["at_ms"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_logs_level_seq"), ["level", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_logs_request_id"), ["request_id"], unique=False)

    op.create_table(
        "monitor_metrics",
        sa.Column("minute_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("service", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("labels", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("minute_ms", "service", "name", "labels", name=op.f("pk_monitor_metrics")),
    )
    with op.batch_alter_table("monitor_metrics", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_metrics_name_minute_ms"), ["name", "minute_ms"], unique=False)

    op.create_table(
        "monitor_outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("lane", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_monitor_outbox")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "monitor_rules",
        sa.Column("rule_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("rule", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_monitor_rules")),
        sa.UniqueConstraint("name", name=op.f("uq_monitor_rules_name")),
    )
    op.bulk_insert(
        sa.table(
            "monitor_rules",
            sa.column("rule_id", sa.String),
            sa.column("name", sa.String),
            sa.column("rule", sa.JSON().with_variant(postgresql.JSONB(), "postgresql")),
            sa.column("enabled", sa.Boolean),
            sa.column("created_at_ms", sa.BigInteger),
            sa.column("updated_at_ms", sa.BigInteger),
        ),
        [
            {"rule_id": f"r_first_{number}", "name": rule["name"], "rule": rule, **FRESH}
            for number, rule in enumerate(FIRST_RULES)
        ],
    )
