"""Who asks, in the tests of worker's routes, and a worker with two kinds of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from streamgate.context import Actor
from streamgate.contracts.jobs import JOBS, Kind, Lease, LeaseQuery, RegisterKinds
from streamgate.events import EventSubscription
from streamgate.services import Offer
from streamgate.testing.house import House, house
from streamgate_worker.config import WorkerConfig

ADMIN = Actor(kind="user", user_id="u_admin", roles=("admin",))
CREATOR = Actor(kind="user", user_id="u_creator", roles=("creator",))
OTHER = Actor(kind="user", user_id="u_other", roles=("creator",))
VIEWER = Actor(kind="user", user_id="u_viewer", roles=("viewer",))

SCHEMA = {
    "type": "object",
    "properties": {"url": {"type": "string"}, "tries": {"type": "integer", "minimum": 1}},
    "required": ["url"],
    "additionalProperties": False,
}
PAYLOAD = {"url": "https://example.org"}


@asynccontextmanager
async def worker_house(
    folder: Path,
    *,
    names: Sequence[str] = ("worker",),
    config: WorkerConfig | None = None,
    offers: Sequence[Offer[Any]] = (),
    subscriptions: Sequence[EventSubscription] = (),
    may_give_up: bool = False,
) -> AsyncIterator[House]:
    """`test.call` is for everybody, `media.probe` for administrators; nobody here runs them."""
    async with house(
        folder,
        names,
        configs={"worker": config or WorkerConfig()},
        offers=offers,
        subscriptions=subscriptions,
        may_give_up=may_give_up,
    ) as home:
        kinds = (
            Kind(name="test.call", summary="Calls", payload_schema=SCHEMA, user_may_submit=True),
            Kind(name="media.probe", summary="", payload_schema={"type": "object"}),
        )
        await home.services.get(JOBS).register_kinds(RegisterKinds(kinds=kinds, plugin="test"))
        yield home


def body(**values: Any) -> dict[str, Any]:
    return {"kind": "test.call", "payload": PAYLOAD, **values}


async def must_lease(home: House, kind: str = "test.call") -> Lease:
    lease = (await home.services.get(JOBS).lease(LeaseQuery(kinds=(kind,), runner="r"))).lease
    assert lease is not None
    return lease
