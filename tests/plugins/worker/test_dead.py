"""Dead letters: jobs whose attempts are used up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.events import JobFinished
from streamgate.contracts.jobs import JOBS, Cancel, Complete, Enqueue, Fail, JobNotDead, JobQuery, NewJob
from streamgate.testing.house import House
from streamgate_worker import dead
from streamgate_worker.dead import DeadLetters
from tests.plugins.worker.people import ADMIN, CREATOR, OTHER, VIEWER, body, must_lease, worker_house
from tests.plugins.worker.world import World


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with worker_house(tmp_path) as running_house:
        yield running_house


async def die(home: House, actor: Actor = CREATOR, **values: Any) -> str:
    """A job with one attempt, which fails."""
    async with home.client(actor) as client:
        answer = await client.post("/api/v1/jobs/submit", json=body(max_attempts=1, **values))
        job_id: str = answer.json()["job_id"]
    lease = await must_lease(home)
    failed = Fail(lease_id=lease.lease_id, job_id=job_id, code="test.away", detail="not there", retryable=True)
    await home.services.get(JOBS).fail(failed)
    return job_id


async def test_dead_job_is_looked_at_and_done_again(home: House) -> None:
    job_id = await die(home)
    async with home.client(CREATOR) as client:
        (listed,) = (await client.get("/api/v1/jobs/dead")).json()["items"]
        assert (listed["job_id"], listed["status"], listed["error_code"]) == (job_id, "dead", "test.away")
        shown = (await client.get(f"/api/v1/jobs/dead/{job_id}")).json()
        assert [(each["code"], each["detail"]) for each in shown["history"]] == [("test.away", "not there")]
        answer = await client.post("/api/v1/jobs/dead/replay", json={"job_id": job_id})
        assert (answer.status_code, answer.json()) == (200, {"job_ids": [job_id], "has_more": False})
        assert (await client.get("/api/v1/jobs/dead")).json()["items"] == []
        again = await client.post("/api/v1/jobs/dead/replay", json={"job_id": job_id})
        assert (again.status_code, again.json()["code"]) == (409, "jobs.not_dead")
        lease = await must_lease(home)
        assert (lease.job_id, lease.attempt) == (job_id, 1)
        await home.services.get(JOBS).complete(Complete(lease_id=lease.lease_id, job_id=job_id, result={"n": 1}))
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        assert (found["status"], found["result"], len(found["history"])) == ("done", {"n": 1}, 1)
        assert (await client.get(f"/api/v1/jobs/dead/{job_id}")).status_code == 409


async def test_all_of_a_kind_are_done_again(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead, "REPLAY_MAX", 2)
    mine = {await die(home) for _ in range(3)}
    await die(home, OTHER)
    async with home.client(CREATOR) as client:
        first = (await client.post("/api/v1/jobs/dead/replay", json={"kind": "test.call"})).json()
        second = (await client.post("/api/v1/jobs/dead/replay", json={"kind": "test.call"})).json()
        assert (first["has_more"], second["has_more"]) == (True, False)
        assert {*first["job_ids"], *second["job_ids"]} == mine
    async with home.client(ADMIN) as client:
        everybodys = (await client.post("/api/v1/jobs/dead/replay", json={"kind": "test.call"})).json()
        assert len(everybodys["job_ids"]) == 1


async def test_dead_job_is_put_aside(home: House) -> None:
    job_id = await die(home)
    async with home.client(CREATOR) as client:
        assert (await client.delete(f"/api/v1/jobs/dead/{job_id}")).status_code == 204
        assert (await client.get("/api/v1/jobs/dead")).json()["items"] == []
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        assert (found["status"], found["error_code"], len(found["history"])) == ("cancelled", "test.away", 1)
        assert (await client.delete(f"/api/v1/jobs/dead/{job_id}")).status_code == 409


async def test_others_dead_jobs_are_not_found(home: House) -> None:
    job_id = await die(home)
    async with home.client(OTHER) as client:
        for answer in (
            await client.get(f"/api/v1/jobs/dead/{job_id}"),
            await client.post("/api/v1/jobs/dead/replay", json={"job_id": job_id}),
            await client.delete(f"/api/v1/jobs/dead/{job_id}"),
            await client.get("/api/v1/jobs/dead/nobody"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "jobs.not_found")
        assert (await client.get("/api/v1/jobs/dead")).json()["items"] == []
        assert (await client.post("/api/v1/jobs/dead/replay", json={"kind": "test.call"})).json()["job_ids"] == []
    async with home.client(ADMIN) as client:
        assert (await client.get(f"/api/v1/jobs/dead/{job_id}")).status_code == 200


@pytest.mark.parametrize("wanted", [{}, {"job_id": "a", "kind": "b"}, {"job_id": 7}, {"all": True}])
async def test_replay_says_which(home: House, wanted: dict[str, Any]) -> None:
    async with home.client(ADMIN) as client:
        answer = await client.post("/api/v1/jobs/dead/replay", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")
    assert answer.json()["errors"]


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (VIEWER, 403)])
async def test_who_may_not(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.get("/api/v1/jobs/dead"),
            await client.get("/api/v1/jobs/dead/x"),
            await client.post("/api/v1/jobs/dead/replay", json={"job_id": "x"}),
            await client.delete("/api/v1/jobs/dead/x"),
        ):
            assert answer.status_code == status


# --- on both databases ---------------------------------------------------------------------------------


async def use_up(world: World, attempts: int) -> None:
    for _ in range(attempts):
        lease = await world.must_lease()
        failed = Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="a.b", detail="c", retryable=True)
        await world.service.fail(failed)
        world.clock.jump(600)


async def test_history_of_every_attempt_and_attempts_anew(world: World) -> None:
    letters = DeadLetters(world.service, world.db, world.clock)
    job_id = await world.add("k", owner="u_1", max_attempts=2)
    await use_up(world, 2)
    assert await letters.count() == 1
    assert (await letters.replay(ADMIN, job_id)).job_ids == (job_id,)
    assert await letters.count() == 0
    await use_up(world, 1)
    await world.must_lease()
    world.clock.jump(31)
    assert await world.lease() is None  # the last attempt's lease ran out
    found = await world.service.get(JobQuery(job_id=job_id))
    assert (found.status, found.attempts) == ("dead", 2)
    assert [(each.attempt, each.code) for each in found.history] == [
        (1, "a.b"),
        (2, "a.b"),
        (1, "a.b"),
        (2, "jobs.lease_expired"),
    ]
    ends: list[JobFinished] = await world.until_finished(2)
    assert [event.status for event in ends] == ["dead", "dead"]
    assert ends[0].revision < ends[1].revision


async def test_dead_child_of_a_cancelled_task_stays(world: World) -> None:
    letters = DeadLetters(world.service, world.db, world.clock)
    await world.add("root", job_id="root", kind="media.chunk")
    child = NewJob(kind="media.probe", payload={}, idempotency_key="c", job_id="c", root_id="root", max_attempts=1)
    await world.service.enqueue(Enqueue(jobs=(child,)))
    await use_up_child(world)
    await world.service.cancel(Cancel(job_id="root"))
    with pytest.raises(JobNotDead, match="cancelled"):
        await letters.replay(ADMIN, "c")
    assert (await letters.replay_kind(ADMIN, "media.probe")).job_ids == ()


async def use_up_child(world: World) -> None:
    lease = await world.must_lease("media.probe")
    failed = Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="a.b", detail="c", retryable=True)
    await world.service.fail(failed)
