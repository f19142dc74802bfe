"""Worker over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.jobs import JOBS, Complete, Fail, JobQuery
from streamgate.testing.house import House
from streamgate_worker.config import WorkerConfig
from tests.plugins.worker.people import ADMIN, CREATOR, OTHER, VIEWER, body, must_lease, worker_house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with worker_house(tmp_path) as running_house:
        yield running_house


async def test_job_is_submitted_watched_and_done(home: House) -> None:
    async with home.client(CREATOR) as client:
        answer = await client.post("/api/v1/jobs/submit", json=body())
        assert answer.status_code == 202
        assert answer.json()["status"] == "queued"
        job_id = answer.json()["job_id"]
        jobs = home.services.get(JOBS)
        lease = await must_lease(home)
        assert (lease.job_id, lease.owner) == (job_id, "u_creator")
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        assert (found["status"], found["attempts"]) == ("running", 1)
        await jobs.complete(Complete(lease_id=lease.lease_id, job_id=job_id, result={}))
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        assert (found["status"], found["progress"]) == ("done", 1.0)


async def test_job_is_cancelled(home: House) -> None:
    async with home.client(CREATOR) as client:
        job_id = (await client.post("/api/v1/jobs/submit", json=body())).json()["job_id"]
        answer = await client.post("/api/v1/jobs/cancel", json={"job_id": job_id})
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_scheduled_for_later(home: House) -> None:
    async with home.client(CREATOR) as client:
        answer = await client.post("/api/v1/jobs/submit", json=body(run_at="2999-01-01T00:00:00Z"))
        assert answer.json()["status"] == "scheduled"
        for no_moment in ("soon", "2999-01-01T00:00:00", "9999-12-31T23:59:59-23:59"):
            refused = await client.post("/api/v1/jobs/submit", json=body(run_at=no_moment))
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "run_at")


@pytest.mark.parametrize("by_header", [True, False])
async def test_same_idempotency_key_is_the_same_job_of_the_same_person(home: House, by_header: bool) -> None:
    headers = {"Idempotency-Key": "once"} if by_header else {}
    wanted = body() if by_header else body(idempotency_key="once")
    ids = []
    for actor in (CREATOR, CREATOR, OTHER):
        async with home.client(actor) as client:
            ids.append((await client.post("/api/v1/jobs/submit", json=wanted, headers=headers)).json()["job_id"])
    assert ids[0] == ids[1] != ids[2]


async def test_others_jobs_are_not_found(home: House) -> None:
    async with home.client(CREATOR) as client:
        job_id = (await client.post("/api/v1/jobs/submit", json=body())).json()["job_id"]
    async with home.client(OTHER) as client:
        for answer in (
            await client.get("/api/v1/jobs/status", params={"job_id": job_id}),
            await client.post("/api/v1/jobs/cancel", json={"job_id": job_id}),
            await client.get("/api/v1/jobs/status", params={"job_id": "nobody"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "jobs.not_found")
        assert (await client.get("/api/v1/jobs/list")).json()["items"] == []
    async with home.client(ADMIN) as client:
        assert (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).status_code == 200
        assert len((await client.get("/api/v1/jobs/list")).json()["items"]) == 1
    assert (await home.services.get(JOBS).get(JobQuery(job_id=job_id))).status == "queued"


async def test_kinds_and_priorities_for_administrators(home: House) -> None:
    wanted = {"kind": "media.probe", "payload": {}}
    async with home.client(CREATOR) as client:
        for refused in (wanted, body(priority=1)):
            answer = await client.post("/api/v1/jobs/submit", json=refused)
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.forbidden")
    async with home.client(ADMIN) as client:
        for allowed in (wanted, body(priority=1)):
            assert (await client.post("/api/v1/jobs/submit", json=allowed)).status_code == 202


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (VIEWER, 403)])
async def test_who_may_not(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.post("/api/v1/jobs/submit", json=body()),
            await client.post("/api/v1/jobs/cancel", json={"job_id": "x"}),
            await client.get("/api/v1/jobs/status", params={"job_id": "x"}),
            await client.get("/api/v1/jobs/list"),
        ):
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("wanted", "code", "field"),
    [
        (body(kind="no.such"), "jobs.unknown_kind", None),
        (body(payload={}), "jobs.payload_invalid", "payload.url"),
        (body(payload={"url": 7}), "jobs.payload_invalid", "payload.url"),
        (body(payload={"url": "x", "tries": 0}), "jobs.payload_invalid", "payload.tries"),
        (body(payload={"url": "x", "more": 1}), "jobs.payload_invalid", "payload.more"),
        (body(priority=10), "request.invalid", "priority"),
        (body(max_attempts=0), "request.invalid", "max_attempts"),
        (body(run_at="tomorrow"), "request.invalid", "run_at"),
        (body(run_at="2027-01-15T08:00:00"), "request.invalid", "run_at"),
        (body(idempotency_key=""), "request.invalid", "idempotency_key"),
        (body(what="?"), "request.invalid", "what"),
    ],
)
async def test_what_cannot_be_queued_is_named(
    home: House, wanted: dict[str, Any], code: str, field: str | None
) -> None:
    async with home.client(ADMIN) as client:
        answer = await client.post("/api/v1/jobs/submit", json=wanted)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    if field is not None:
        assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_list_pages(home: House) -> None:
    async with home.client(CREATOR) as client:
        ids = [(await client.post("/api/v1/jobs/submit", json=body())).json()["job_id"] for _ in range(3)]
        first = (await client.get("/api/v1/jobs/list", params={"limit": 2})).json()
        second = (await client.get("/api/v1/jobs/list", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [len(first["items"]), len(second["items"]), second["next_cursor"]] == [2, 1, None]
    assert {each["job_id"] for page in (first, second) for each in page["items"]} == set(ids)


async def test_kinds_that_one_may_submit(home: House) -> None:
    async with home.client(CREATOR) as client:
        names = [kind["name"] for kind in (await client.get("/api/v1/jobs/kinds")).json()["items"]]
        assert "test.call" in names
        assert "media.probe" not in names
    async with home.client(ADMIN) as client:
        kinds = {kind["name"]: kind for kind in (await client.get("/api/v1/jobs/kinds")).json()["items"]}
    assert kinds["test.call"]["payload_schema"]["required"] == ["url"]
    assert (kinds["test.call"]["user_may_submit"], kinds["media.probe"]["user_may_submit"]) == (True, False)


async def test_as_many_as_may_wait(tmp_path: Path) -> None:
    config = WorkerConfig(max_waiting_per_owner=2)
    async with worker_house(tmp_path, config=config) as home, home.client(CREATOR) as client:
        for key in ("a", "b"):
            answer = await client.post("/api/v1/jobs/submit", json=body(idempotency_key=key))
            assert answer.status_code == 202
        refused = await client.post("/api/v1/jobs/submit", json=body(idempotency_key="c"))
        assert (refused.status_code, refused.json()["code"]) == (429, "jobs.too_many")
        assert int(refused.headers["retry-after"]) > 0
        known = await client.post("/api/v1/jobs/submit", json=body(idempotency_key="a"))
        assert known.status_code == 202
        async with home.client(OTHER) as other:
            assert (await other.post("/api/v1/jobs/submit", json=body())).status_code == 202
        await client.post("/api/v1/jobs/cancel", json={"job_id": known.json()["job_id"]})
        assert (await client.post("/api/v1/jobs/submit", json=body(idempotency_key="c"))).status_code == 202


async def test_status_tells_result_and_history(home: House) -> None:
    jobs = home.services.get(JOBS)
    async with home.client(CREATOR) as client:
        wanted = body(priority=6, max_attempts=5)
        job_id = (await client.post("/api/v1/jobs/submit", json=wanted)).json()["job_id"]
        lease = await must_lease(home)
        failed = Fail(lease_id=lease.lease_id, job_id=job_id, code="test.away", detail="not there", retryable=True)
        await jobs.fail(failed)
        found = (await client.get("/api/v1/jobs/status", params={"job_id": job_id})).json()
        assert (found["status"], found["priority"], found["max_attempts"], found["result"]) == ("queued", 6, 5, None)
        (attempt,) = found["history"]
        assert (attempt["attempt"], attempt["code"], attempt["detail"], attempt["runner"]) == (
            1,
            "test.away",
            "not there",
            "r",
        )
        assert attempt["began_at"] <= attempt["ended_at"] < found["run_at"]
        (listed,) = (await client.get("/api/v1/jobs/list")).json()["items"]
        assert listed["history"] == []
