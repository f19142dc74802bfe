"""What a person sees of their own jobs while they run: told to every process, kept nowhere."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.events import Events
from streamgate.sdk.clock import Clock
from streamgate_worker import measures
from streamgate_worker.repository import JobRow
from streamgate_worker.rows import UNFINISHED

EVERY_S = 0.25
REMEMBERED = 1_000


class Live:
    """Progress at most four times a second for each job; every end."""

    def __init__(self, events: Events, clock: Clock) -> None:
        self._events = events
        self._clock = clock
        self._told_s: OrderedDict[str, float] = OrderedDict()

    async def progress(self, row: JobRow) -> None:
        now_s = self._clock.monotonic_s()
        last_s = self._told_s.get(row.job_id)
        if not row.owner or (last_s is not None and now_s - last_s < EVERY_S):
            return
        self._told_s[row.job_id] = now_s
        while len(self._told_s) > REMEMBERED:
            self._told_s.popitem(last=False)
        await self._tell("job.progress", row)

    async def ended(self, rows: Iterable[JobRow]) -> None:
        """Counts those that are at their end, and tells their owners."""
        for row in rows:
            if row.status in UNFINISHED:
                continue
            measures.ENDED.labels(row.kind, row.status).inc()
            self._told_s.pop(row.job_id, None)
            if row.owner:
                await self._tell("job.finished", row)

    async def _tell(self, event: str, row: JobRow) -> None:
        data: dict[str, Any] = {
            "kind": row.kind,
            "root_id": row.root_id,
            "status": row.status,
            "progress": row.progress,
            "stage": row.stage,
            "attempts": row.attempts,
            "error_code": row.error_code,
        }
        content_id = row.subject_id if row.subject_id.startswith("c_") else ""
        await self._events.broadcast(
            LIVE,
            LiveUpdate(owner=row.owner, kind="job", id=row.job_id, content_id=content_id, event=event, data=data),
        )
