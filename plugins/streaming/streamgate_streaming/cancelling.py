"""Tasks to cancel: noted in the transaction that wants it, asked for at once, and again until worker has heard."""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from streamgate.contracts.jobs import Cancel, JobNotFound, Jobs
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, insert_into

from .tables import CancelRow, MediaRow

_TASKS = 100
_GIVE_UP_AFTER_MS = 86_400_000
"""A task that is not queued a day after its end was wanted will not be."""


def cancel_later(session: Session, media: MediaRow, now_ms: int) -> str:
    """Notes the task of a version that something is made of; returns its id."""
    row = {"root_id": media.root_id, "asked_at_ms": now_ms}
    session.execute(insert_into(session, CancelRow).values(row).on_conflict_do_nothing())
    return media.root_id


class Cancellations:
    """Worker may be away; nobody waits for it."""

    def __init__(self, db: Database, jobs: Jobs, clock: Clock) -> None:
        self._db = db
        self._jobs = jobs
        self._clock = clock

    async def carry_out(self) -> None:
        """One turn over everything noted, oldest first."""
        oldest_first = select(CancelRow.root_id).order_by(CancelRow.asked_at_ms).limit(_TASKS)
        await self.cancel(await self._db.read(lambda session: list(session.scalars(oldest_first))))

    async def cancel(self, root_ids: Sequence[str]) -> None:
        """Asks now. What cannot be asked for stays noted, and so does what the outbox has not brought to the queue
        yet."""
        heard: list[str] = []
        for root_id in root_ids:
            try:
                await self._jobs.cancel(Cancel(job_id=root_id))
            except JobNotFound:
                logger.bind(task_id=root_id).info("task to cancel is not queued yet")
            except StreamgateError as fault:
                logger.bind(task_id=root_id, code=fault.code).warning("task could not be cancelled yet")
                break
            else:
                heard.append(root_id)
        too_old_ms = self._clock.now_ms() - _GIVE_UP_AFTER_MS

        def forget(session: Session) -> None:
            is_over = CancelRow.root_id.in_(heard) | (CancelRow.asked_at_ms < too_old_ms)
            session.execute(delete(CancelRow).where(is_over))

        if root_ids:
            await self._db.write(forget)
