"""Events that a service has given up on: shown in readiness, looked at, handled again, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus.base import Reject
from streamgate.context import ANONYMOUS, Actor
from streamgate.events import EventType, Received, on_group
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from tests.plugins.worker.people import ADMIN, CREATOR, worker_house

PATH = "/api/v1/jobs/dead/events"


@attrs.frozen(kw_only=True)
class Moved:
    subject_id: str
    revision: int


MOVED = EventType("test.moved", Moved)


@attrs.define
class Hearer:
    """Rejects until it is told otherwise."""

    is_well: bool = False
    handled: list[str] = attrs.field(factory=list)

    async def on_moved(self, event: Received[Moved]) -> None:
        if not self.is_well:
            raise Reject("not today")
        self.handled.append(event.body.subject_id)


@pytest.fixture
def hearer() -> Hearer:
    return Hearer()


@pytest.fixture
async def home(tmp_path: Path, hearer: Hearer) -> AsyncIterator[House]:
    heard = [on_group(MOVED, hearer.on_moved, group="mover")]
    async with worker_house(tmp_path, subscriptions=heard, may_give_up=True) as running_house:
        yield running_house


async def lose(home: House, *names: str) -> list[dict[str, Any]]:
    for name in names:
        await home.events.publish(MOVED, Moved(subject_id=name, revision=1), event_id=f"e-{name}")

    async def dead() -> list[dict[str, Any]] | None:
        async with home.client(ADMIN) as client:
            items: list[dict[str, Any]] = (await client.get(PATH)).json()["items"]
        return items if len(items) == len(names) else None

    return await eventually(dead, every_s=0.01)


async def test_dead_event_is_looked_at_and_handled_again(home: House, hearer: Hearer) -> None:
    (item,) = await lose(home, "a")
    assert (item["group"], item["subject"], item["reason"]) == ("mover", "evt.test.moved.v1", "not today")
    assert item["body"] == {"subject_id": "a", "revision": 1}
    assert item["event_id"] == "e-a"
    async with home.client(ADMIN) as client:
        checks = (await client.get("/ready")).json()["checks"]
        assert (checks["dead events"]["ok"], checks["dead events"]["critical"]) == (False, False)
        assert "mover 1" in checks["dead events"]["detail"]
        still = await client.post(f"{PATH}/replay", json={"id": item["id"]})
        assert (still.status_code, still.json()["code"]) == (409, "bus.still_dead")
        assert "not today" in still.json()["detail"]
        hearer.is_well = True
        assert (await client.post(f"{PATH}/replay", json={"id": item["id"]})).status_code == 200
        assert hearer.handled == ["a"]
        assert (await client.get(PATH)).json() == {"items": [], "next_cursor": None}
        again = await client.post(f"{PATH}/replay", json={"id": item["id"]})
        assert (again.status_code, again.json()["code"]) == (404, "jobs.dead_event_not_found")
        assert (await client.get("/ready")).json()["checks"]["dead events"]["ok"]


async def test_dead_events_come_in_pages_and_are_forgotten(home: House) -> None:
    items = await lose(home, "a", "b", "c")
    async with home.client(ADMIN) as client:
        first = (await client.get(PATH, params={"limit": 2})).json()
        second = (await client.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]})).json()
        assert first["items"] + second["items"] == items
        assert second["next_cursor"] is None
        assert (await client.delete(f"{PATH}/{items[0]['id']}")).status_code == 204
        assert (await client.delete(f"{PATH}/{items[0]['id']}")).status_code == 404
        assert (await client.delete(f"{PATH}/x")).status_code == 404
        assert len((await client.get(PATH)).json()["items"]) == 2


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (CREATOR, 403)])
async def test_who_may_not(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.get(PATH),
            await client.post(f"{PATH}/replay", json={"id": "1"}),
            await client.delete(f"{PATH}/1"),
        ):
            assert answer.status_code == status
