"""Tells how far the jobs of this process are: to all transcoders, and to the people whose media they make.

Once a second, by broadcasts alone: nothing is written for it. That it is lost is harmless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from loguru import logger

from streamgate.contracts.jobs import JOBS_PAUSED, JobsPaused
from streamgate.contracts.live import LIVE, LiveUpdate
from streamgate.contracts.transcode import TRANSCODE_STEPS, Step, Steps, TranscodeStatus
from streamgate.errors import StreamgateError
from streamgate.events import Events, EventSubscription, Received, on_everyone
from streamgate.sdk.clock import Clock

from .board import Board
from .transcodes import Transcodes

EVERY_S = 1.0
_SHOWN = ("progress", "frames", "frames_planned", "fps", "speed", "eta_s")


def progress_update(owner: str, status: TranscodeStatus) -> LiveUpdate:
    """How far a transcode is, for its owner's open pages."""
    data = {name: getattr(status, name) for name in ("task_id", "status", "stage", *_SHOWN)}
    data["renditions"] = [
        {name: getattr(each, name) for name in ("id", "status", *_SHOWN)} for each in status.renditions
    ]
    return LiveUpdate(
        owner=owner,
        kind="media",
        id=status.content_id,
        content_id=status.content_id,
        event="transcode.progress",
        data=data,
    )


class Telling:
    """A unit."""

    name = "transcoder.telling"
    needs = ("bus",)

    def __init__(self, board: Board, transcodes: Transcodes, events: Events, clock: Clock) -> None:
        self._board = board
        self._transcodes = transcodes
        self._events = events
        self._clock = clock
        self._fresh: dict[str, Step] = {}  # by job, since it was told last
        self._is_fresh = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None

    @property
    def subscriptions(self) -> Sequence[EventSubscription]:
        return [
            on_everyone(TRANSCODE_STEPS, self._on_steps, resync=self._resync),
            on_everyone(JOBS_PAUSED, self._on_paused, resync=self._resync),
        ]

    def watch(self, step: Step) -> None:
        self._fresh[step.job_id] = step
        self._is_fresh.set()

    async def start(self) -> None:
        self._telling = asyncio.create_task(self._tell_on(), name=self.name)

    async def stop(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.wait([self._telling])
            self._telling = None

    async def tell(self) -> None:
        """What is new of the jobs here, and to each owner how their transcode stands.

        Raises:
            StreamgateError: streaming cannot be asked.
        """
        steps, self._fresh = tuple(self._fresh.values()), {}
        self._is_fresh.clear()
        await self._events.broadcast(TRANSCODE_STEPS, Steps(steps=steps))
        for step in steps:
            if step.owner and self._board.speaker(step.content_id) == step.job_id:
                status = await self._transcodes.under_way(step.content_id)
                await self._events.broadcast(LIVE, progress_update(step.owner, status))

    async def _tell_on(self) -> None:
        while True:
            await self._is_fresh.wait()
            try:
                await self.tell()
            except StreamgateError as fault:
                logger.bind(unit=self.name, code=fault.code).debug("progress is not told")
            except Exception:
                logger.bind(unit=self.name).exception("progress is not told")
            await self._clock.sleep(EVERY_S)

    async def _on_steps(self, event: Received[Steps]) -> None:
        for step in event.body.steps:
            self._board.hear(step)

    async def _on_paused(self, event: Received[JobsPaused]) -> None:
        self._board.hear_paused(event.body.root_ids, is_paused=event.body.is_paused)

    async def _resync(self) -> None:
        """There is nothing to read: the next second tells more."""
