"""A unit that looks, every few seconds, for leases that ran out and for jobs whose time has come; now and then it
measures the queue, has garbage collected, and forgets what ended long ago.

Every replica of worker sweeps; rows that one of them has are passed over by the others. The queue does not depend on
it: leasing looks for run-out leases too.
"""

from __future__ import annotations

import asyncio
from functools import partial

from loguru import logger

from streamgate.contracts.jobs import Enqueue, NewJob
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate_worker import garbage, measures, repository, retention
from streamgate_worker.kinds import collecting
from streamgate_worker.queue import EXPIRE_AT_SWEEP
from streamgate_worker.service import WorkerService

MEASURE_EVERY_S = 15.0
HOUR_MS = 3_600_000
KEEP_ENDED_S = 90 * 24 * 3600.0


class Sweeper:
    name = "worker.sweeper"
    needs = ("worker.db", "bus")

    def __init__(
        self, service: WorkerService, db: Database, clock: Clock, *, every_s: float, keep_ended_s: float = KEEP_ENDED_S
    ) -> None:
        self._service = service
        self._db = db
        self._clock = clock
        self._every_s = every_s
        self._keep_ended_ms = round(keep_ended_s * 1000)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        measured_s = self._clock.monotonic_s()
        while True:
            try:
                await self._service.sweep(EXPIRE_AT_SWEEP)
                if self._clock.monotonic_s() - measured_s >= MEASURE_EVERY_S:
                    measured_s = self._clock.monotonic_s()
                    await self.measure()
                    await self.order_collecting()
                    await self.forget_ended()
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).warning("sweep failed; again later")
            except Exception:
                logger.bind(unit=self.name).exception("sweep failed; again later")
            await self._clock.sleep(self._every_s)

    async def measure(self) -> None:
        now_ms = self._clock.now_ms()
        depths = await self._db.read(repository.depths)
        measures.DEPTH.clear()  # kinds of which nothing is left would keep their last number
        measures.OLDEST.clear()
        for depth in depths:
            measures.DEPTH.labels(depth.kind, depth.status).set(depth.count)
            if depth.status == "queued" and depth.since_ms <= now_ms:
                measures.OLDEST.labels(depth.kind).set((now_ms - depth.since_ms) / 1000)

    async def forget_ended(self) -> None:
        before_ms = self._clock.now_ms() - self._keep_ended_ms
        while await self._db.write(partial(retention.forget_ended, before_ms=before_ms)):
            pass

    async def order_collecting(self) -> None:
        """One job an hour, however many replicas ask, and none where there is nothing to collect."""
        now_ms = self._clock.now_ms()
        if await self._db.read(lambda session: garbage.is_due(session, now_ms)):
            key = f"garbage:{now_ms // HOUR_MS}"
            job = NewJob(kind=collecting.KIND, payload={}, idempotency_key=key, priority=9)
            await self._service.enqueue(Enqueue(jobs=(job,)))
