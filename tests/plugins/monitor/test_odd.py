"""What others tell that a database takes badly, or that comes in a bad moment: nothing else is lost with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.events import JOBS_REQUESTED, JobsRequested
from streamgate.contracts.logs import LOGS, LogBatch, LogLine
from streamgate.contracts.metrics import MetricsSnapshot, Sample
from streamgate.contracts.webhooks import WEBHOOKS, SecretFound, SecretQuery
from streamgate.events import Received, on_group
from streamgate.health import introspection_of
from streamgate.sdk.db import Database, DatabaseUnavailable
from streamgate.sdk.ids import uuid7
from streamgate.sdk.lease import Leadership
from streamgate.services import Offer
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate_monitor import history_repository, leading, log_repository
from streamgate_monitor.alerting import Alerting
from streamgate_monitor.config import MonitorConfig
from streamgate_monitor.leading import DAY_MS, Leading
from streamgate_monitor.log_keeping import LINES_A_WRITE, LogKeeping
from streamgate_monitor.numbers import MINUTE_MS, MinuteValue, Numbers
from streamgate_monitor.tables import alerts, logs

BASE = "/api/v1/monitor"
INSTEAD = "\N{REPLACEMENT CHARACTER}"
ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


async def items(home: House, path: str, **query: Any) -> list[Any]:
    async with home.client(ADMIN) as http:
        answer = await http.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["items"]
    return found


def line(event: str, **fields: str) -> LogLine:
    return LogLine(at_ms=int(time.time() * 1000), level="INFO", event=event, service="cache", fields=fields)


async def test_the_null_character_costs_no_entry_and_no_line(home: House) -> None:
    """PostgreSQL has no text with U+0000, and it comes in paths (`%00`)."""
    entry = AuditEntry(
        subject_id="/api/v1/x/\0/y", at_ms=1_800_000_000_000, act="http", outcome="refused", detail={"a\0": "b\0"}
    )
    await home.events.publish(AUDITED, entry, event_id=uuid7())
    lines = (line("before"), line("with \0 inside", path="/\0"), line("after"))
    await home.events.broadcast(LOGS, LogBatch(instance="cache@x-1", lines=lines))

    async def kept() -> bool | None:
        return (len(await items(home, "logs", service="cache")) == 3 and len(await items(home, "audit")) == 1) or None

    await eventually(kept, what="three lines and an entry")
    [shown] = await items(home, "audit")
    assert (shown["subject_id"], shown["detail"]) == (
        "/api/v1/x/\N{REPLACEMENT CHARACTER}/y",
        {"a\N{REPLACEMENT CHARACTER}": "b\N{REPLACEMENT CHARACTER}"},
    )
    assert len(await items(home, "logs", q="with")) == 1


class Store:
    """Monitor's database, away when the test says so."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.is_away = False

    async def write(self, work: Callable[[Session], Any]) -> Any:
        if self.is_away:
            raise DatabaseUnavailable("away")
        return await self._db.write(work)

    async def read(self, work: Callable[[Session], Any]) -> Any:
        return await self._db.read(work)


@attrs.define
class Desk:
    """What the leading monitor does, done by hand beside it."""

    leading: Leading
    leadership: Leadership
    store: Store
    lines: LogKeeping
    numbers: Numbers
    clock: FakeClock


@pytest.fixture
async def desk(home: House) -> Desk:
    plugin = home.plugins["monitor"]

    async def led() -> Leadership | None:
        found: Leadership | None = plugin._leader.leadership
        return found

    store, lines, numbers, clock = Store(plugin._db), LogKeeping(), Numbers(), FakeClock()
    leading = Leading(
        db=cast(Database, store),
        config=MonitorConfig(log_lines=7, log_days=10_000, alert_days=1),
        reports=plugin._reports,
        numbers=numbers,
        lines=lines,
        alerting=Alerting(plugin._db, numbers, clock),
        clock=clock,
    )
    return Desk(leading, await eventually(led, what="a leader"), store, lines, numbers, clock)


async def test_lines_wait_while_the_database_is_away_and_all_of_them_are_kept(home: House, desk: Desk) -> None:
    lines = tuple(line(f"thing {number}") for number in range(LINES_A_WRITE + 5))
    desk.lines.hear(LogBatch(instance="cache@x-1", lines=lines))
    desk.store.is_away = True
    with pytest.raises(DatabaseUnavailable):
        await desk.leading.keep_lines(desk.leadership)
    desk.store.is_away = False
    await desk.leading.keep_lines(desk.leadership)
    count = select(func.count()).select_from(logs).where(logs.c.service == "cache")
    assert await desk.store.read(lambda session: session.scalar(count)) == len(lines)
    [newest] = await items(home, "logs", service="cache", limit=1)
    assert newest["event"] == f"thing {LINES_A_WRITE + 4}", "in the order in which they came"


async def test_what_is_old_goes_a_few_rows_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "FORGET_AT_ONCE", 3)
    now_ms = desk.clock.now_ms()
    alert = {"rule_id": "r", "rule_name": "n", "severity": "info", "said": "", "acknowledged_by": "", "note": ""}

    def fill(session: Session) -> None:
        log_repository.add(session, "i", [line(f"{number}") for number in range(20)])
        for number in range(10):
            row = {"alert_id": f"a{number}", "started_at_ms": 0, "resolved_at_ms": now_ms - number * DAY_MS // 2}
            session.execute(insert(alerts), {**alert, **row})

    await desk.store.write(fill)
    await desk.leading.forget(desk.leadership)
    left = await desk.store.read(
        lambda session: (
            session.scalars(select(logs.c.event).where(logs.c.instance == "i").order_by(logs.c.seq)).all(),
            set(session.scalars(select(alerts.c.alert_id)).all()),
        )
    )
    assert 0 < len(left[0]) <= 7
    assert left[0] == [str(number) for number in range(20)][-len(left[0]) :]
    assert left[1] == {"a0", "a1", "a2"}


async def test_minutes_that_the_last_leader_did_not_write_are_made_up_for(desk: Desk) -> None:
    def told(value: float) -> None:
        sample = Sample(name="streamgate_x_total", kind="counter", value=value)
        desk.numbers.take(MetricsSnapshot(instance="i", service="cache", at_ms=desk.clock.now_ms(), samples=(sample,)))

    begin_ms = desk.clock.now_ms() // MINUTE_MS * MINUTE_MS
    before = MinuteValue(
        minute_ms=begin_ms, service="cache", name="streamgate_x_total", labels="{}", kind="counter", value=1.0
    )
    await desk.store.write(lambda session: history_repository.add_minute(session, [before]))
    told(0)
    for number in range(1, 4):
        await desk.clock.advance(70)
        told(number * 10)
    work = asyncio.create_task(desk.leading.lead(desk.leadership))

    async def kept() -> list[MinuteValue] | None:
        found = await desk.store.read(
            lambda session: history_repository.find_minutes(session, ["streamgate_x_total"], 0, begin_ms * 2, 10)
        )
        return found if len(found) >= 3 else None

    try:
        found = await eventually(kept, what="the minutes")
    finally:
        work.cancel()
        await asyncio.wait({work})
    assert [value.minute_ms for value in found[:3]] == [begin_ms + n * MINUTE_MS for n in range(3)]
    assert found[0].value == 1.0, "what was written stays"


async def test_one_name_asked_for_twice_at_once_is_one_rule(home: House) -> None:
    rule = {"name": "Twice", "metric": "streamgate_service_up"}
    async with home.client(ADMIN) as http:
        answers = await asyncio.gather(*(http.post(f"{BASE}/alerts/rules", json=rule) for _ in range(6)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
        found = (await http.get(f"{BASE}/alerts")).json()["rules"]
    assert [each["name"] for each in found].count("Twice") == 1


class Secrets:
    """Worker's, of everybody."""

    def __init__(self) -> None:
        self.known = {("root", "pager")}

    async def find_secret(self, query: SecretQuery) -> SecretFound:
        return SecretFound(exists=(query.owner, query.name) in self.known)


async def test_whoever_is_told_of_an_alert_can_check_who_tells(tmp_path: Path, kernel: Any) -> None:
    asked: list[JobsRequested] = []

    async def hear(event: Received[JobsRequested]) -> None:
        asked.append(event.body)

    async def told() -> dict[str, Any] | None:
        return asked[0].jobs[0] if asked else None

    kernel.is_ready = False
    secrets = Secrets()
    rule = {"name": "Down", "metric": "streamgate_service_up", "op": "<", "value": 1, "notify_secret": "pager"}
    async with house(
        tmp_path,
        ["monitor"],
        configs={"monitor": MonitorConfig(health_every_s=0.05, alerts_every_s=0.05, reuse_s=0.01)},
        offers=[Offer(introspection_of("monitor"), kernel), Offer(WEBHOOKS, secrets)],
        subscriptions=[on_group(JOBS_REQUESTED, hear, group="worker")],
    ) as home:
        async with home.client(ADMIN) as http:
            for wrong in ("https://127.0.0.1/x", "ftp://example.org/"):
                answer = await http.post(f"{BASE}/alerts/rules", json={**rule, "notify_url": wrong})
                assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "notify_url")
            good = {**rule, "notify_url": "https://pager.example.org/alerts"}
            unsigned = await http.post(f"{BASE}/alerts/rules", json={**good, "notify_secret": "nope"})
            [error] = unsigned.json()["errors"]
            assert (unsigned.status_code, error["field"]) == (422, "notify_secret")
            assert "PUT /api/v1/jobs/webhook-secrets" in error["message"]
            made = await http.post(f"{BASE}/alerts/rules", json=good)
            assert made.status_code == 201, made.text
            path = f"{BASE}/alerts/rules/{made.json()['rule_id']}"
            assert (await http.put(path, json={**good, "notify_secret": "nope"})).status_code == 422

            async def doubts() -> list[str]:
                rules = (await http.get(f"{BASE}/alerts")).json()["rules"]
                return next(each["warnings"] for each in rules if each["name"] == "Down")

            async def has_none() -> bool | None:
                return None if await doubts() else True

            await eventually(has_none, what="monitor to tell of what it measures")
            secrets.known.clear()
            assert ["pager is gone" in said for said in await doubts()] == [True]
        job = await eventually(told, what="the webhook's job")
    assert (job["kind"], job["owner"]) == ("webhook.deliver", "root")
    assert (job["payload"]["secret_name"], job["payload"]["event"]) == ("pager", "alert.fired")
