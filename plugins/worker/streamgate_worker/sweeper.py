"""A unit that looks, every few seconds, for leases that ran out and for jobs whose time has come.

Every replica of worker sweeps; rows that one of them has are passed over by the others. The queue does not depend on
it: leasing looks for run-out leases too.
"""

from __future__ import annotations

import asyncio

from loguru import logger

from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate_worker.queue import EXPIRE_AT_SWEEP
from streamgate_worker.service import WorkerService


class Sweeper:
    name = "worker.sweeper"
    needs = ("worker.db", "bus")

    def __init__(self, service: WorkerService, clock: Clock, *, every_s: float) -> None:
        self._service = service
        self._clock = clock
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        while True:
            try:
                await self._service.sweep(EXPIRE_AT_SWEEP)
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).warning("sweep failed; again later")
            except Exception:
                logger.bind(unit=self.name).exception("sweep failed; again later")
            await self._clock.sleep(self._every_s)
