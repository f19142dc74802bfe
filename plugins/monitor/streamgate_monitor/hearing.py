"""What monitor hears: audit entries, which it must not lose; log lines and numbers, which it may."""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.logs import LOGS, LogBatch
from streamgate.contracts.metrics import METRICS, MetricsSnapshot
from streamgate.events import EventSubscription, Received, on_everyone, on_group
from streamgate.sdk.batching import Batched
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_monitor import audit_repository
from streamgate_monitor.log_keeping import LogKeeping
from streamgate_monitor.numbers import Numbers

ENTRIES_AT_ONCE = 256
PAUSE_S = 0.05
"""Between two writes: 5,000 entries a second at most by the two, and at 250 of them 20 writes instead of 70."""


class Hearing:
    def __init__(self, db: Database, lines: LogKeeping, numbers: Numbers, clock: Clock) -> None:
        self._db = db
        self._lines = lines
        self._numbers = numbers
        self._clock = clock
        self._entries: Batched[tuple[str, AuditEntry]] = Batched(self._keep, most=ENTRIES_AT_ONCE, pause_s=PAUSE_S)

    def subscriptions(self) -> Sequence[EventSubscription]:
        return [
            on_group(AUDITED, self._on_audit, group="monitor", concurrency=ENTRIES_AT_ONCE),
            on_everyone(LOGS, self._on_logs, resync=_nothing_to_catch_up),
            on_everyone(METRICS, self._on_metrics, resync=_nothing_to_catch_up),
        ]

    async def _on_audit(self, event: Received[AuditEntry]) -> None:
        await self._entries.do((event.event_id, event.body))

    async def _keep(self, entries: Sequence[tuple[str, AuditEntry]]) -> None:
        # The key of an entry is the event's id, so hearing it again changes nothing.
        await self._db.write(lambda session: audit_repository.add(session, entries))

    async def _on_logs(self, event: Received[LogBatch]) -> None:
        self._lines.hear(event.body)

    async def _on_metrics(self, event: Received[MetricsSnapshot]) -> None:
        self._numbers.take(event.body, self._clock.now_ms())


async def _nothing_to_catch_up() -> None:
    """Nobody keeps what was missed; the next snapshot tells all again."""
