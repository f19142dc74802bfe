"""What monitor keeps, and finds again over HTTP: audit entries, log lines, numbers, health; on both databases."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from streamgate.context import Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.logs import LOGS, LogBatch, LogLine
from streamgate.contracts.metrics import METRICS, MetricsSnapshot, Sample
from streamgate.sdk.ids import uuid7
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate_monitor.log_keeping import MAX_WAITING, LogKeeping

BASE = "/api/v1/monitor"
ADMIN = Actor(kind="user", user_id="root", roles=("admin",))


async def get(home: House, path: str, *, status: int = 200, **query: Any) -> Any:
    async with home.client(ADMIN) as http:
        answer = await http.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def until(look: Callable[[], Awaitable[Any]], is_so: Callable[[Any], bool], what: str) -> Awaitable[Any]:
    async def probe() -> Any:
        found = await look()
        return found if is_so(found) else None

    return eventually(probe, what=what)


def entry(number: int, **values: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "subject_id": f"content:c_{number}",
        "at_ms": 1_800_000_000_000 + number,
        "act": "content.deleted",
    }
    return AuditEntry(
        **{**given, "outcome": "done", "who": "u_1", "who_kind": "user", "request_id": f"r{number}", **values}
    )


async def test_audit_entries_are_kept_once_and_found_by_what_they_say(home: House) -> None:
    event_ids = [uuid7() for _ in range(5)]
    for number, event_id in enumerate(event_ids):
        outcome = "refused" if number == 2 else "done"
        await home.events.publish(AUDITED, entry(number, outcome=outcome, detail={"n": str(number)}), event_id=event_id)
    await home.events.publish(AUDITED, entry(0), event_id=event_ids[0])  # told again
    found = await until(lambda: get(home, "audit"), lambda page: len(page["items"]) == 5, "five entries")
    assert {each["subject_id"] for each in found["items"]} == {f"content:c_{n}" for n in range(5)}
    refused = await get(home, "audit", outcome="refused")
    assert [(each["subject_id"], each["detail"]) for each in refused["items"]] == [("content:c_2", {"n": "2"})]
    assert len((await get(home, "audit", request_id="r3"))["items"]) == 1
    assert (await get(home, "audit", who="u_2"))["items"] == []
    assert len((await get(home, "audit", since="2027-01-15T08:00:00.003Z"))["items"]) == 2

    first = await get(home, "audit", limit=3)
    rest = await get(home, "audit", limit=3, cursor=first["next_cursor"])
    whole = [each["subject_id"] for page in (first, rest) for each in page["items"]]
    assert (len(whole), len(set(whole)), rest["next_cursor"]) == (5, 5, None)


def line(number: int, **values: Any) -> LogLine:
    given = {"at_ms": int(time.time() * 1000) + number, "level": "INFO", "event": f"thing {number}", "service": "cache"}
    return LogLine(**{**given, **values})


async def test_log_lines_of_all_processes_are_kept_and_searched(home: House) -> None:
    lines = (
        line(0, level="DEBUG"),
        line(1, request_id="req-1", fields={"path": "/a_b%c", "who": "Ada"}),
        line(2, level="ERROR", event="Disk full", service="upload", trace_id="t" * 32),
    )
    await home.events.broadcast(LOGS, LogBatch(instance="cache@x-1", lines=lines))
    found = await until(lambda: get(home, "logs", q="thing"), lambda page: len(page["items"]) == 2, "lines")
    assert [each["event"] for each in found["items"]] == ["thing 1", "thing 0"]
    assert found["items"][0]["instance"] == "cache@x-1"
    [error] = (await get(home, "logs", level="WARNING", service="upload"))["items"]
    assert (error["event"], error["trace_id"]) == ("Disk full", "t" * 32)
    assert [each["event"] for each in (await get(home, "logs", request_id="req-1"))["items"]] == ["thing 1"]
    assert len((await get(home, "logs", q="ada thing"))["items"]) == 1, "words in any order, in any case"
    assert len((await get(home, "logs", q="a_b%c"))["items"]) == 1
    assert (await get(home, "logs", q="axb"))["items"] == [], "no wildcard"
    assert (await get(home, "logs", q="thing", until="2020-01-01T00:00:00Z"))["items"] == []


async def test_numbers_are_told_as_they_are_now_and_health_before(home: House, kernel: Any) -> None:
    def snapshot(value: float) -> MetricsSnapshot:
        sample = Sample(name="streamgate_things_total", kind="counter", value=value, labels={"size": "big"})
        return MetricsSnapshot(instance="cache@x-1", service="cache", at_ms=int(time.time() * 1000), samples=(sample,))

    await home.events.broadcast(METRICS, snapshot(5))
    await home.events.broadcast(METRICS, snapshot(8))
    found = await until(
        lambda: get(home, "metrics", name="streamgate_things_total"),
        lambda answer: answer["metrics"] and answer["metrics"][0]["value"] == 8,
        "the number",
    )
    [shown] = found["metrics"]
    assert (shown["service"], shown["labels"], shown["kind"], shown["per_s"]) == (
        "cache",
        {"size": "big"},
        "counter",
        0.05,
    )
    assert "cache@x-1" in {process["instance"] for process in found["processes"]}

    kernel.is_ready = False
    notes = await until(
        lambda: get(home, "health/history"),
        lambda answer: {item["ok"] for item in answer["items"]} == {True, False},
        "a history of both",
    )
    assert 0 < notes["ok_ratio"]["monitor"] < 1
    assert notes["items"][0]["services"]["monitor"]["detail"] == "database: the disk is full"


async def test_an_alert_fires_is_seen_and_is_over(home: House, kernel: Any) -> None:
    rule = {"name": "Down", "metric": "streamgate_service_up", "op": "<", "value": 1, "severity": "critical"}
    async with home.client(ADMIN) as http:
        made = await http.post(f"{BASE}/alerts/rules", json=rule)
        assert made.status_code == 201, made.text
        assert (await http.post(f"{BASE}/alerts/rules", json=rule)).json()["code"] == "monitor.rule_name_taken"
    assert made.json()["said"] == "streamgate_service_up < 1"
    before = await get(home, "alerts")
    assert [each["name"] for each in before["rules"]] == [
        "A service is not well",
        "Down",
        "Events were given up",
        "Requests fail",
    ]
    assert before["firing"] == []

    kernel.is_ready = False
    fired = await until(lambda: get(home, "alerts"), lambda answer: bool(answer["firing"]), "the alert")
    [alert] = fired["firing"]
    assert (alert["rule"], alert["severity"], alert["value"]) == ("Down", "critical", 0.0)
    async with home.client(ADMIN) as http:
        answer = await http.post(f"{BASE}/alerts/{alert['alert_id']}/ack", json={"note": "on it"})
        assert (answer.json()["acknowledged_by"], answer.json()["note"]) == ("root", "on it")
        assert (await http.post(f"{BASE}/alerts/l_0/ack", json={})).json()["code"] == "monitor.alert_unknown"
    assert [each["alert_id"] for each in (await get(home, "alerts"))["acknowledged"]] == [alert["alert_id"]]

    kernel.is_ready = True
    over = await until(lambda: get(home, "alerts"), lambda answer: bool(answer["ended"]), "its end")
    assert over["acknowledged"] == [], over["ended"]
    assert over["ended"][0]["resolved_at"] is not None
    acts = {"alert.rule_made", "alert.fired", "alert.acknowledged", "alert.resolved"}
    await until(
        lambda: get(home, "audit"),
        lambda page: acts <= {each["act"] for each in page["items"]},
        "its trail",
    )


async def test_a_rule_that_is_deleted_takes_its_alert_along(home: House, kernel: Any) -> None:
    kernel.is_ready = False
    async with home.client(ADMIN) as http:
        rule = {"name": "Down", "metric": "streamgate_service_up", "op": "<", "value": 1}
        rule_id = (await http.post(f"{BASE}/alerts/rules", json=rule)).json()["rule_id"]
        await until(lambda: get(home, "alerts"), lambda answer: bool(answer["firing"]), "the alert")
        path = f"{BASE}/alerts/rules/{rule_id}"
        changed = await http.put(path, json={**rule, "enabled": False})
        assert (changed.status_code, changed.json()["enabled"]) == (200, False)
        await until(lambda: get(home, "alerts"), lambda answer: not answer["firing"], "its end")
        assert (await http.delete(path)).status_code == 204
        assert (await http.delete(path)).json()["code"] == "monitor.rule_unknown"
        assert (await http.put(path, json=rule)).json()["code"] == "monitor.rule_unknown"


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("logs", {"since": "yesterday"}, "since"),
    ("logs", {"since": "2026-01-01T00:00:00"}, "since"),
    ("logs", {"level": "LOUD"}, "level"),
    ("logs", {"limit": 501}, "limit"),
    ("audit", {"cursor": "x"}, "cursor"),
    ("audit", {"outcome": "maybe"}, "outcome"),
    ("metrics", {"name": ",".join("abcdefghijklmnopqrstuvw")}, "name"),
    ("health/history", {"limit": 0}, "limit"),
]


async def test_a_wrong_question_names_its_field(home: House) -> None:
    for path, query, field in WRONG:
        problem = await get(home, path, status=422, **query)
        assert [error["field"] for error in problem["errors"]] == [field], path


async def test_only_admins_look(home: House) -> None:
    moderator = Actor(kind="user", user_id="mo", roles=("moderator",))
    async with home.client() as nobody, home.client(moderator) as http:
        for path in ("logs", "audit", "metrics", "alerts", "health/history"):
            assert (await nobody.get(f"{BASE}/{path}")).status_code == 401
            assert (await http.get(f"{BASE}/{path}")).status_code == 403


def test_who_begins_to_lead_leaves_out_what_was_kept_and_a_flood_is_bounded() -> None:
    keeping = LogKeeping()
    old, new = (
        LogLine(at_ms=10, level="INFO", event="old", service="s"),
        LogLine(at_ms=11, level="INFO", event="new", service="s"),
    )
    keeping.hear(LogBatch(instance="i", lines=(old, new)))
    keeping.begin(10)
    assert keeping.take() == [("i", [new])]
    keeping.hear(LogBatch(instance="i", lines=tuple([old] * (MAX_WAITING + 5))))
    kept = 0
    while found := keeping.take():
        kept += len(found[0][1])
    assert kept == MAX_WAITING
