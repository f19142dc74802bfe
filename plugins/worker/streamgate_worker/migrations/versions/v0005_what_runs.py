"""What runs has an index of its own, which is small whatever the table's statistics say."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.drop_index("ix_worker_jobs_status_lease_until_ms", "worker_jobs")
    where = sa.text("status = 'running'")
    columns = ["lease_until_ms", "owner"]
    op.create_index("ix_worker_jobs_running", "worker_jobs", columns, sqlite_where=where, postgresql_where=where)
