"""A transcoder that makes lazy rungs, as the tests of them need one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import httpx

from streamgate.contracts.jobs import NewJob
from streamgate.contracts.media import ASKED_KIND
from streamgate.testing.wait import eventually
from tests.plugins.streaming.theatre import Theatre

Asking = asyncio.Task[httpx.Response]
Work = Callable[[], Awaitable[None]]


def asked(theatre: Theatre) -> list[NewJob]:
    return [job for job in theatre.orders() if job.kind == ASKED_KIND]


def stretch(job: NewJob) -> tuple[str, int]:
    return job.payload["rendition_id"], job.payload["stretch_n"]


async def answered(asking: Sequence[Asking], theatre: Theatre, work: Work | None = None) -> None:
    """Time goes by, and `work` is done now and then, until all are answered."""

    async def is_over() -> bool | None:
        if work is not None:
            await work()
        await theatre.clock.advance(0.25)
        return True if all(task.done() for task in asking) else None

    await eventually(is_over, every_s=0.01, timeout_s=20, what="answers")


@attrs.define
class Encoder:
    """A transcoder, one stretch at a time. `over`: those that are, in order."""

    theatre: Theatre
    over: list[NewJob] = attrs.field(factory=list)

    async def serve(self, asking: Sequence[Asking], *, most: int = 99) -> None:
        """Until all are answered; there is never `more` than that to do."""

        async def work() -> None:
            known = {job.job_id for job in self.over}
            waiting = [job for job in asked(self.theatre) if job.job_id not in known]
            assert len(waiting) <= most, list(map(stretch, waiting))
            if waiting:
                self.over.append(waiting[0])
                await self.theatre.done(waiting[0], await self.theatre.make(waiting[0]))

        await answered(asking, self.theatre, work)

    async def make_all(self, session: dict[str, Any], rung: str) -> None:
        for n in range(0, 8, 2):
            await self.serve(fetching(self.theatre, session, f"{rung}/{n}.m4s"))


def fetching(theatre: Theatre, session: dict[str, Any], *paths: str) -> list[Asking]:
    return [asyncio.create_task(theatre.fetch(session, path)) for path in paths]
