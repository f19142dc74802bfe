"""Tables, transactions, events that ride them.

    # tables.py
    TABLES = plugin_tables("upload")
    uploads = Table("upload_uploads", TABLES, Column("upload_id", String(40), primary_key=True), …)

    # service.py
    def finish(session: Session) -> None:                     # synchronous, may run again, awaits nothing
        repository.set_complete(session, upload_id)
        emit(session, UPLOAD_FINISHED, UploadFinished(…))

    await self._db.write(finish)

    async def on_upload_finished(event: Received[UploadFinished]) -> None:
        def handle(session: Session) -> None:
            if first_time(session, event.event_id, group="metadata"):
                repository.set_processing(session, event.body)

        await self._db.write(handle)

    # plugin.py
    db = Database.for_plugin(ctx, TABLES, migrations="streamgate_upload.migrations")
    collect_units  → [*db.units(), …]                           collect_checks → [db.check()]

A first migration is written by `python -m streamgate.testing.migrations streamgate_upload "first tables"`.
"""

from streamgate.sdk.db.database import Database
from streamgate.sdk.db.engine import DatabaseFault, DatabaseUnavailable
from streamgate.sdk.db.migrate import Upgraded, upgrade_all
from streamgate.sdk.db.outbox import emit, first_time
from streamgate.sdk.db.tables import WRAPPED, Json, RowId, insert_into, plugin_tables

__all__ = [
    "WRAPPED",
    "Database",
    "DatabaseFault",
    "DatabaseUnavailable",
    "Json",
    "RowId",
    "Upgraded",
    "emit",
    "first_time",
    "insert_into",
    "plugin_tables",
    "upgrade_all",
]
