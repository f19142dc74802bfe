"""Worker over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.jobs import JOBS, Complete, JobQuery, Kind, LeaseQuery, RegisterKinds
from streamgate.testing.house import House, house

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


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path, ["worker"]) as running_house:
        kinds = (
            Kind(name="webhook.deliver", summary="", payload_schema=SCHEMA, user_may_submit=True),
            Kind(name="media.probe", summary="", payload_schema={"type": "object"}),
        )
        await running_house.services.get(JOBS).register_kinds(RegisterKinds(kinds=kinds, plugin="test"))
        yield running_house


def body(**values: Any) -> dict[str, Any]:
    return {"kind": "webhook.deliver", "payload": {"url": "https://example.org"}, **values}


async def test_job_is_submitted_watched_and_done(home: House) -> None:
    async with home.client(CREATOR) as client:
        answer = await client.post("/api/v1/jobs/submit", json=body())
        assert answer.status_code == 202
        assert answer.json()["status"] == "queued"
        job_id = answer.json()["job_id"]
        jobs = home.services.get(JOBS)
        lease = (await jobs.lease(LeaseQuery(kinds=("webhook.deliver",), runner="r"))).lease
        assert lease is not None
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
        (body(payload={}), "jobs.payload_invalid", "payload"),
        (body(payload={"url": 7}), "jobs.payload_invalid", "payload.url"),
        (body(payload={"url": "x", "tries": 0}), "jobs.payload_invalid", "payload.tries"),
        (body(payload={"url": "x", "more": 1}), "jobs.payload_invalid", "payload"),
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
