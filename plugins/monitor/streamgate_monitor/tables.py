"""Monitor's tables. On the embedded default they lie in a file of their own, so that a flood of log lines never holds
up what the other services write."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, String, Table, Text

from streamgate.sdk.db import Json, RowId, plugin_tables
from streamgate.sdk.lease import leader_table

TABLES = plugin_tables("monitor", own_file="telemetry.db")

leaders = leader_table(TABLES)

audit = Table(
    "monitor_audit",
    TABLES,
    Column("seq", RowId, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("act", String(100), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("who", String(100), nullable=False),
    Column("who_kind", String(10), nullable=False),
    Column("address", String(100), nullable=False),
    Column("client", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("code", String(100), nullable=False),
    Column("subject_id", String(500), nullable=False),
    Column("detail", Json, nullable=False),
    Index(None, "at_ms"),
    Index(None, "who", "seq"),
    Index(None, "address", "seq"),
    Index(None, "act", "seq"),
    Index(None, "subject_id", "seq"),
    Index(None, "request_id"),
    sqlite_autoincrement=True,
)

logs = Table(
    "monitor_logs",
    TABLES,
    Column("seq", RowId, primary_key=True, autoincrement=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("level", Integer, nullable=False),  # 10 DEBUG … 50 CRITICAL
    Column("event", Text, nullable=False),
    Column("service", String(100), nullable=False),
    Column("instance", String(200), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("trace_id", String(32), nullable=False),
    Column("fields", Json, nullable=False),
    Column("words", Text, nullable=False),  # event and fields in lower case, for looking in
    Index(None, "at_ms"),
    Index(None, "request_id"),
    Index(None, "trace_id"),
    Index(None, "level", "seq"),
    sqlite_autoincrement=True,
)

health = Table(
    "monitor_health",
    TABLES,
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("ok", Boolean, nullable=False),
    Column("services", Json, nullable=False),  # name: {ok, detail, latency_ms}
)

metrics = Table(
    "monitor_metrics",
    TABLES,
    Column("minute_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("service", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("labels", String(500), primary_key=True),  # JSON, names in order
    Column("kind", String(10), nullable=False),
    # A counter's growth in the minute; a gauge's last value, summed over processes.
    Column("value", Float, nullable=False),
    Index(None, "name", "minute_ms"),
)

rules = Table(
    "monitor_rules",
    TABLES,
    Column("rule_id", String(40), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("rule", Json, nullable=False),
    Column("owner", String(100), nullable=False, server_default=""),  # who changed it last
    Column("enabled", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

alerts = Table(
    "monitor_alerts",
    TABLES,
    Column("alert_id", String(40), primary_key=True),
    Column("rule_id", String(40), nullable=False),
    Column("rule_name", String(100), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("said", Text, nullable=False),
    Column("value", Float, nullable=True),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("resolved_at_ms", BigInteger, nullable=True),
    Column("acknowledged_at_ms", BigInteger, nullable=True),
    Column("acknowledged_by", String(100), nullable=False),
    Column("note", Text, nullable=False),
    Index(None, "started_at_ms"),
    Index(None, "resolved_at_ms"),
    Index(None, "rule_id", "resolved_at_ms"),
)
