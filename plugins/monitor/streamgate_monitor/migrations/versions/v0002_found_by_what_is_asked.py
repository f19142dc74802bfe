"""Found by what is asked for."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("monitor_alerts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_alerts_resolved_at_ms"), ["resolved_at_ms"], unique=False)

    with op.batch_alter_table("monitor_audit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_audit_act_seq"), ["act", "seq"], unique=False)
        batch_op.create_index(batch_op.f("ix_monitor_audit_address_seq"), ["address", "seq"], unique=False)

    with op.batch_alter_table("monitor_logs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_monitor_logs_trace_id"), ["trace_id"], unique=False)
