"""What is asked of the queue, in short."""

from __future__ import annotations

from typing import Any

from streamgate.context import Actor
from streamgate.contracts.jobs import (
    Complete,
    Fail,
    Heartbeat,
    JobQuery,
    Lease,
    NewJob,
)
from tests.plugins.worker.world import World

ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


def job(key: str, **values: Any) -> NewJob:
    return NewJob(**{"kind": "media.probe", "payload": {}, "idempotency_key": key, **values})


def done(lease: Lease, **result: Any) -> Complete:
    return Complete(lease_id=lease.lease_id, job_id=lease.job_id, result=result)


def failed(lease: Lease, *, retryable: bool = True, code: str = "media.broken") -> Fail:
    return Fail(lease_id=lease.lease_id, job_id=lease.job_id, code=code, detail="it broke", retryable=retryable)


def beat(lease: Lease, progress: float = 0.0, stage: str = "") -> Heartbeat:
    return Heartbeat(lease_id=lease.lease_id, job_id=lease.job_id, progress=progress, stage=stage)


async def status_of(world: World, job_id: str) -> str:
    return (await world.service.get(JobQuery(job_id=job_id))).status
