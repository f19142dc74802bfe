"""Nothing is encrypted: what was asked to be was always served in clear, and says so now."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("UPDATE metadata_contents SET protection = 'none' WHERE protection <> 'none'")
