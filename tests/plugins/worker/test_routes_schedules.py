"""Schedules over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.events import Received, on_group
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate_worker import routes_schedules
from streamgate_worker.config import WorkerConfig
from tests.plugins.worker.people import ADMIN, CREATOR, OTHER, PAYLOAD, VIEWER, must_lease, worker_house

AUDIT: list[AuditEntry] = []


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    AUDIT.clear()

    async def on_audited(event: Received[AuditEntry]) -> None:
        AUDIT.append(event.body)

    heard = [on_group(AUDITED, on_audited, group="listener")]
    async with worker_house(tmp_path, subscriptions=heard) as running_house:
        yield running_house


def schedule(**values: Any) -> dict[str, Any]:
    return {"name": "nightly", "cron": "30 2 * * *", "kind": "test.call", "payload": PAYLOAD, **values}


async def test_schedule_is_set_seen_replaced_run_and_removed(home: House) -> None:
    async with home.client(CREATOR) as client:
        answer = await client.post("/api/v1/jobs/schedule", json=schedule(timezone="Europe/Berlin"))
        assert answer.status_code == 200
        made = answer.json()
        assert made["next_run_at"].endswith(":30:00.000Z")
        assert (made["owner"], made["timezone"], made["enabled"], made["last_job"]) == (
            "u_creator",
            "Europe/Berlin",
            True,
            None,
        )
        replaced = (await client.post("/api/v1/jobs/schedule", json=schedule(cron="@hourly", enabled=False))).json()
        assert (replaced["cron"], replaced["next_run_at"], replaced["created_at"]) == (
            "@hourly",
            None,
            made["created_at"],
        )
        ran = await client.post("/api/v1/jobs/schedule/run", json={"name": "nightly"})
        assert (ran.status_code, ran.json()["status"]) == (202, "queued")
        lease = await must_lease(home)
        assert (lease.job_id, lease.owner, lease.payload) == (ran.json()["job_id"], "u_creator", PAYLOAD)
        (item,) = (await client.get("/api/v1/jobs/schedules")).json()["items"]
        assert item["last_job"] == {"job_id": lease.job_id, "status": "running"}
        assert item["last_run_at"] is not None
        assert item["next_run_at"] is None
        assert (await client.delete("/api/v1/jobs/schedule", params={"name": "nightly"})).status_code == 204
        assert (await client.get("/api/v1/jobs/schedules")).json() == {"items": [], "next_cursor": None}
        again = await client.delete("/api/v1/jobs/schedule", params={"name": "nightly"})
        assert (again.status_code, again.json()["code"]) == (404, "jobs.schedule_not_found")

    async def told() -> list[str] | None:
        acts = [entry.act for entry in AUDIT if entry.who == "u_creator"]
        return acts if len(acts) >= 4 else None

    assert sorted(await eventually(told)) == ["job.submitted", "schedule.removed", "schedule.set", "schedule.set"]


@pytest.mark.parametrize(
    ("wanted", "status", "code", "field"),
    [
        (schedule(cron="99 * * * *"), 422, "jobs.schedule_invalid", "cron"),
        (schedule(cron="0 0 31 2 *"), 422, "jobs.schedule_invalid", "cron"),
        (schedule(cron="* * * * * *"), 422, "jobs.schedule_invalid", "cron"),
        (schedule(timezone="Mars/Base"), 422, "jobs.schedule_invalid", "timezone"),
        (schedule(kind="no.such"), 422, "jobs.unknown_kind", "kind"),
        (schedule(payload={"url": 7}), 422, "jobs.payload_invalid", "payload.url"),
        (schedule(name="../x"), 422, "request.invalid", "name"),
        (schedule(name=""), 422, "request.invalid", "name"),
        (schedule(more=1), 422, "request.invalid", "more"),
        (schedule(kind="media.probe", payload={}), 403, "auth.forbidden", None),
    ],
)
async def test_what_cannot_be_kept_is_named(
    home: House, wanted: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    async with home.client(CREATOR) as client:
        answer = await client.post("/api/v1/jobs/schedule", json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        if field is not None:
            assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert (await client.get("/api/v1/jobs/schedules")).json()["items"] == []


async def test_one_sees_ones_own_and_administrators_all(home: House) -> None:
    for actor in (CREATOR, OTHER):
        async with home.client(actor) as client:
            assert (await client.post("/api/v1/jobs/schedule", json=schedule())).status_code == 200
    async with home.client(OTHER) as client:
        (item,) = (await client.get("/api/v1/jobs/schedules")).json()["items"]
        assert item["owner"] == "u_other"
        query = {"name": "nightly", "owner": "u_creator"}
        assert (await client.delete("/api/v1/jobs/schedule", params=query)).status_code == 404
        assert (await client.post("/api/v1/jobs/schedule/run", json=query)).status_code == 404
    async with home.client(ADMIN) as client:
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await client.get("/api/v1/jobs/schedules", params={"limit": 1, "cursor": cursor})).json()
            seen += [item["owner"] for item in page["items"]]
            cursor = page["next_cursor"]
        assert seen == ["u_creator", "u_other"]
        assert (await client.delete("/api/v1/jobs/schedule", params=query)).status_code == 204
        bad = await client.get("/api/v1/jobs/schedules", params={"cursor": "!"})
        assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "cursor")


@pytest.mark.parametrize(("actor", "status"), [(ANONYMOUS, 401), (VIEWER, 403)])
async def test_who_may_not(home: House, actor: Actor, status: int) -> None:
    async with home.client(actor) as client:
        for answer in (
            await client.post("/api/v1/jobs/schedule", json=schedule()),
            await client.get("/api/v1/jobs/schedules"),
            await client.delete("/api/v1/jobs/schedule", params={"name": "x"}),
            await client.post("/api/v1/jobs/schedule/run", json={"name": "x"}),
        ):
            assert answer.status_code == status


async def test_how_many_are_bounded(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_schedules, "MAX_PER_OWNER", 1)
    async with home.client(CREATOR) as client:
        assert (await client.post("/api/v1/jobs/schedule", json=schedule())).status_code == 200
        assert (await client.post("/api/v1/jobs/schedule", json=schedule())).status_code == 200
        answer = await client.post("/api/v1/jobs/schedule", json=schedule(name="more"))
        assert (answer.status_code, answer.json()["code"]) == (429, "jobs.too_many")


async def test_running_counts_among_the_jobs_that_may_wait(tmp_path: Path) -> None:
    config = WorkerConfig(max_waiting_per_owner=1)
    async with worker_house(tmp_path, config=config) as home, home.client(CREATOR) as client:
        await client.post("/api/v1/jobs/schedule", json=schedule())
        assert (await client.post("/api/v1/jobs/schedule/run", json={"name": "nightly"})).status_code == 202
        answer = await client.post("/api/v1/jobs/schedule/run", json={"name": "nightly"})
        assert (answer.status_code, answer.json()["code"]) == (429, "jobs.too_many")
        assert int(answer.headers["retry-after"]) > 0
