"""Looks at every rule again and again: an alert fires when a rule has held for long enough, and is over when it no
longer does. Only the leading monitor does this; what fires is in the database, so that the next leader goes on with it.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from streamgate.contracts.jobs import NewJob
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate.sdk.jobs import request_jobs
from streamgate.sdk.lease import Leadership
from streamgate_monitor import alert_repository as repository
from streamgate_monitor.alert_repository import Alert, StoredRule
from streamgate_monitor.numbers import Numbers
from streamgate_monitor.rules import judge


class Alerting:
    """`look` is asked by the leader, every few seconds."""

    def __init__(self, db: Database, numbers: Numbers, clock: Clock) -> None:
        self._db = db
        self._numbers = numbers
        self._clock = clock
        self._since_ms = clock.now_ms()  # numbers are heard since then
        self._holds_since_ms: dict[str, int] = {}

    def begin(self) -> None:
        """This monitor leads from now on: what held when it led before says nothing."""
        self._holds_since_ms = {}

    async def look(self, leadership: Leadership) -> None:
        stored, open_alerts = await self._db.read(
            lambda session: (repository.list_rules(session), repository.firing(session))
        )
        by_rule = {alert.rule_id: alert for alert in open_alerts}
        now_ms = self._clock.now_ms()
        enabled = {each.rule_id: each for each in stored if each.enabled}
        for rule_id, alert in by_rule.items():
            if rule_id not in enabled:
                await self._resolve(leadership, alert, None, now_ms)
        for each in enabled.values():
            await self._look_at(leadership, each, by_rule.get(each.rule_id), now_ms)
        self._holds_since_ms = {rule_id: at for rule_id, at in self._holds_since_ms.items() if rule_id in enabled}

    async def _look_at(self, leadership: Leadership, stored: StoredRule, alert: Alert | None, now_ms: int) -> None:
        verdict = judge(stored.rule, self._numbers, now_ms, listening_since_ms=self._since_ms)
        if not verdict.fires:
            self._holds_since_ms.pop(stored.rule_id, None)
            # Nothing to compare is no all-clear: what fired goes on until somebody tells of it again.
            if alert is not None and (verdict.value is not None or stored.rule.kind == "absence"):
                await self._resolve(leadership, alert, stored, now_ms)
            return
        # A clock that was set back holds up an alert by as much as it has run since, no more.
        since_ms = min(now_ms, self._holds_since_ms.get(stored.rule_id, now_ms))
        self._holds_since_ms[stored.rule_id] = since_ms
        if alert is None and now_ms - since_ms >= stored.rule.for_s * 1000:
            await self._fire(leadership, stored, verdict.value, now_ms)

    async def _fire(self, leadership: Leadership, stored: StoredRule, value: float | None, now_ms: int) -> None:
        alert = Alert(
            alert_id=new_id("l"),
            rule_id=stored.rule_id,
            rule_name=stored.rule.name,
            severity=stored.rule.severity,
            said=stored.rule.in_words(),
            value=value,
            started_at_ms=now_ms,
        )

        def fire(session: Session) -> None:
            leadership.check(session)
            repository.add_alert(session, alert)
            audit(session, "alert.fired", on=f"alert:{alert.alert_id}", detail={"rule": alert.rule_name})
            _notify(session, stored, alert, "alert.fired")

        await self._db.write(fire)

    async def _resolve(self, leadership: Leadership, alert: Alert, stored: StoredRule | None, now_ms: int) -> None:
        def end(session: Session) -> None:
            leadership.check(session)
            ended = repository.resolve(session, alert.alert_id, now_ms)
            if ended is not None:
                audit(session, "alert.resolved", on=f"alert:{alert.alert_id}", detail={"rule": alert.rule_name})
                if stored is not None:
                    _notify(session, stored, ended, "alert.resolved")

        await self._db.write(end)


def _notify(session: Session, stored: StoredRule, alert: Alert, event: str) -> None:
    rule = stored.rule
    if not rule.notify_url:
        return
    body = {
        "alert_id": alert.alert_id,
        "rule": alert.rule_name,
        "severity": alert.severity,
        "said": alert.said,
        "value": alert.value,
        "started_at": rfc3339(alert.started_at_ms),
        "resolved_at": None if alert.resolved_at_ms is None else rfc3339(alert.resolved_at_ms),
    }
    job = NewJob(
        kind="webhook.deliver",
        payload={"url": rule.notify_url, "event": event, "body": body, "secret_name": rule.notify_secret},
        owner=stored.owner,
        idempotency_key=f"{event}:{alert.alert_id}",
        subject_id=alert.alert_id,
        max_attempts=8,
    )
    request_jobs(session, [job], subject_id=alert.alert_id, revision=1 if event == "alert.fired" else 2)
