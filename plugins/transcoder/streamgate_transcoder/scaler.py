"""Keeps the pool as large as the queue asks for, within a second: it grows before the jobs come, and shrinks after."""

from __future__ import annotations

import asyncio

from loguru import logger

from streamgate.bus.base import Bus, Subscription
from streamgate.contracts.jobs import JOBS_AVAILABLE, Jobs, QueueQuery
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock

from .pool import ChildPool
from .sizing import Sizing

LOOK_EVERY_S = 1.0
LOOK_AGAIN_S = 0.2
"""However often jobs come: each look counts the queue."""


class Scaler:
    """A unit."""

    name = "transcoder.scaler"
    needs = ("bus", "transcoder.children")

    def __init__(
        self, pool: ChildPool, sizing: Sizing, jobs: Jobs, kinds: tuple[str, ...], bus: Bus, clock: Clock
    ) -> None:
        self._pool = pool
        self._sizing = sizing
        self._jobs = jobs
        self._kinds = kinds
        self._bus = bus
        self._clock = clock
        self._scaling: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._heard: Subscription | None = None

    async def start(self) -> None:
        self._heard = await self._bus.subscribe_everyone(JOBS_AVAILABLE.subject, self._on_available, resync=self._look)
        self._scaling = asyncio.create_task(self._scale_on(), name=self.name)

    async def stop(self) -> None:
        if self._heard is not None:
            await self._heard.stop()
        if self._scaling is not None:
            self._scaling.cancel()
            await asyncio.wait([self._scaling])
            self._scaling = None

    async def scale(self) -> None:
        """Brings the waiting children to what the queue asks for now.

        Raises:
            StreamgateError: worker cannot be asked.
        """
        depth = await self._jobs.depth(QueueQuery(kinds=self._kinds))
        holding = self._pool.holding
        await self._pool.keep(self._sizing.spares(waiting=depth.queued, holding=holding, warm=self._pool.warm))

    async def _scale_on(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.scale()
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).debug("the queue cannot be looked at")
            except Exception:
                logger.bind(unit=self.name).exception("the pool was not scaled")
            await self._clock.sleep(LOOK_AGAIN_S)
            await self._rest()

    async def _rest(self) -> None:
        waits = {
            asyncio.create_task(self._wake.wait()),
            asyncio.create_task(self._clock.sleep(LOOK_EVERY_S - LOOK_AGAIN_S)),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _on_available(self, _: bytes) -> None:
        self._wake.set()

    async def _look(self) -> None:
        self._wake.set()
