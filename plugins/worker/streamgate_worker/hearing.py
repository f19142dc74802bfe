"""The event worker hears: work that others asked for inside their transactions."""

from __future__ import annotations

from streamgate.bus.base import Reject
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.jobs import NewJob
from streamgate.errors import Conflict, Invalid
from streamgate.events import EventSubscription, Received, on_group
from streamgate.wire import from_plain
from streamgate_worker.service import GROUP, WorkerService


class Hearing:
    def __init__(self, service: WorkerService) -> None:
        self._service = service

    def subscriptions(self) -> list[EventSubscription]:
        return [on_group(JOBS_REQUESTED, self.on_requested, group=GROUP)]

    async def on_requested(self, event: Received[JobsRequested]) -> None:
        """Raises Reject: jobs that can never be queued."""
        try:
            wanted = [from_plain(NewJob, job) for job in event.body.jobs]
        except Exception as fault:  # cattrs raises many kinds
            raise Reject(f"no jobs: {fault}") from fault
        try:
            await self._service.enqueue_requested(event.event_id, wanted)
        except (Invalid, Conflict) as fault:
            raise Reject(f"{fault.code}: {fault.detail}") from fault
