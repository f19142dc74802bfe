"""Alerts and the rules that fire them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.errors import Conflict, FieldError, Invalid, NotFound
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.sdk.db import Database
from streamgate.sdk.ids import new_id
from streamgate.sdk.outgoing.errors import OutgoingError
from streamgate.sdk.texts import is_prose
from streamgate.settings import OutgoingSettings
from streamgate.web.routes import ADMIN, Call, Route
from streamgate_monitor import alert_repository as repository
from streamgate_monitor.alert_doubts import Doubts
from streamgate_monitor.alert_repository import Alert, StoredRule
from streamgate_monitor.rules import Rule, Severity

PREFIX = "/api/v1/monitor/alerts"
ENDED_SHOWN = 50


class RuleUnknown(NotFound):
    code, title = "monitor.rule_unknown", "No such alert rule"


class AlertUnknown(NotFound):
    code, title = "monitor.alert_unknown", "No such alert"


class RuleNameTaken(Conflict):
    code, title = "monitor.rule_name_taken", "Another rule has this name"


@attrs.frozen(kw_only=True)
class RuleBody(Rule):
    enabled: bool = True


@attrs.frozen(kw_only=True)
class RuleShown(RuleBody):
    """`warnings`: why it may never fire, or nobody may be told of it, as things are now."""

    warnings: tuple[str, ...]
    rule_id: str
    said: str
    created_at: str
    updated_at: str


@attrs.frozen(kw_only=True)
class AlertShown:
    alert_id: str
    rule_id: str
    rule: str
    severity: Severity
    said: str
    value: float | None
    started_at: str
    resolved_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str
    note: str


@attrs.frozen(kw_only=True)
class AlertsAnswer:
    """`firing` are those nobody has seen, `acknowledged` those somebody has; `ended` are the newest that are over."""

    firing: tuple[AlertShown, ...]
    acknowledged: tuple[AlertShown, ...]
    ended: tuple[AlertShown, ...]
    rules: tuple[RuleShown, ...]


@attrs.frozen(kw_only=True)
class RulePath:
    rule_id: str


@attrs.frozen(kw_only=True)
class AlertPath:
    alert_id: str


@attrs.frozen(kw_only=True)
class AckBody:
    note: str = attrs.field(default="", validator=attrs.validators.and_(attrs.validators.max_len(1_000), is_prose))


class AlertRoutes:
    def __init__(self, db: Database, clock: Clock, outgoing: OutgoingSettings, doubts: Doubts) -> None:
        self._outgoing = outgoing
        self._db = db
        self._clock = clock
        self._doubts = doubts

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", PREFIX, self.show, policy=ADMIN, answer=AlertsAnswer, summary="Alerts and their rules"),
            Route(
                "POST",
                f"{PREFIX}/rules",
                self.make,
                policy=ADMIN,
                body=RuleBody,
                answer=RuleShown,
                status=201,
                summary="Make an alert rule",
                description="A metric that nobody tells of now is taken, as it may come later, and `warnings` says so.",
                errors=(RuleNameTaken,),
            ),
            Route(
                "PUT",
                f"{PREFIX}/rules/{{rule_id}}",
                self.change,
                policy=ADMIN,
                query=RulePath,
                body=RuleBody,
                answer=RuleShown,
                summary="Replace an alert rule",
                errors=(RuleUnknown, RuleNameTaken),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/rules/{{rule_id}}",
                self.delete,
                policy=ADMIN,
                query=RulePath,
                summary="Delete an alert rule; its alert is over with the next look",
                errors=(RuleUnknown,),
            ),
            Route(
                "POST",
                f"{PREFIX}/{{alert_id}}/ack",
                self.acknowledge,
                policy=ADMIN,
                query=AlertPath,
                body=AckBody,
                answer=AlertShown,
                summary="Acknowledge an alert",
                errors=(AlertUnknown,),
            ),
        ]

    async def show(self, call: Call[None, None]) -> AlertsAnswer:
        firing, ended, rules = await self._db.read(
            lambda session: (
                repository.firing(session),
                repository.ended(session, ENDED_SHOWN),
                repository.list_rules(session),
            )
        )
        return AlertsAnswer(
            firing=tuple(_alert(each) for each in firing if each.acknowledged_at_ms is None),
            acknowledged=tuple(_alert(each) for each in firing if each.acknowledged_at_ms is not None),
            ended=tuple(_alert(each) for each in ended),
            rules=tuple([_rule(each, await self._doubts.of(each)) for each in rules]),
        )

    async def make(self, call: Call[RuleBody, None]) -> RuleShown:
        return await self._put(call.actor, call.body, None, "alert.rule_made")

    async def change(self, call: Call[RuleBody, RulePath]) -> RuleShown:
        return await self._put(call.actor, call.body, call.query.rule_id, "alert.rule_changed")

    async def _put(self, actor: Actor, body: RuleBody, known_id: str | None, act: str) -> RuleShown:
        self._check_notify(body)
        await self._doubts.check_secret(actor.user_id, body.notify_secret)
        now_ms, rule_id = self._clock.now_ms(), known_id or new_id("r")
        rule = Rule(**{field.name: getattr(body, field.name) for field in attrs.fields(Rule)})

        def put(session: Session) -> StoredRule:
            before = None if known_id is None else repository.get_rule(session, known_id)
            if known_id is not None and before is None:
                raise RuleUnknown(f"no alert rule {known_id}")
            stored = StoredRule(
                rule_id=rule_id,
                rule=rule,
                owner=actor.user_id,
                enabled=body.enabled,
                created_at_ms=now_ms if before is None else before.created_at_ms,
                updated_at_ms=now_ms,
            )
            if not repository.put_rule(session, stored):
                raise RuleNameTaken(f"there is a rule {rule.name!r} already; choose another name or change that one")
            audit(session, act, on=f"alert_rule:{rule_id}", detail={"name": rule.name})
            return stored

        stored = await self._db.write(put)
        return _rule(stored, await self._doubts.of(stored))

    def _check_notify(self, body: RuleBody) -> None:
        from streamgate.sdk.outgoing.guard import Guard

        try:
            if body.notify_url:
                Guard(self._outgoing).check_url(body.notify_url)
        except OutgoingError as fault:
            error = FieldError("notify_url", fault.detail)
            raise Invalid("nobody can be told at this URL", errors=(error,)) from fault

    async def delete(self, call: Call[None, RulePath]) -> None:
        rule_id = call.query.rule_id

        def delete(session: Session) -> None:
            if not repository.delete_rule(session, rule_id):
                raise RuleUnknown(f"no alert rule {rule_id}")
            audit(session, "alert.rule_deleted", on=f"alert_rule:{rule_id}")

        await self._db.write(delete)

    async def acknowledge(self, call: Call[AckBody, AlertPath]) -> AlertShown:
        alert_id, now_ms = call.query.alert_id, self._clock.now_ms()

        def acknowledge(session: Session) -> Alert:
            alert = repository.acknowledge(session, alert_id, call.actor.user_id, call.body.note, now_ms)
            if alert is None:
                raise AlertUnknown(f"no alert {alert_id}")
            audit(session, "alert.acknowledged", on=f"alert:{alert_id}", detail={"rule": alert.rule_name})
            return alert

        return _alert(await self._db.write(acknowledge))


def _rule(stored: StoredRule, warnings: tuple[str, ...]) -> RuleShown:
    rule = {field.name: getattr(stored.rule, field.name) for field in attrs.fields(Rule)}
    return RuleShown(
        **rule,
        enabled=stored.enabled,
        warnings=warnings,
        rule_id=stored.rule_id,
        said=stored.rule.in_words(),
        created_at=rfc3339(stored.created_at_ms),
        updated_at=rfc3339(stored.updated_at_ms),
    )


def _alert(alert: Alert) -> AlertShown:
    return AlertShown(
        alert_id=alert.alert_id,
        rule_id=alert.rule_id,
        rule=alert.rule_name,
        severity=alert.severity,
        said=alert.said,
        value=alert.value,
        started_at=rfc3339(alert.started_at_ms),
        resolved_at=_time(alert.resolved_at_ms),
        acknowledged_at=_time(alert.acknowledged_at_ms),
        acknowledged_by=alert.acknowledged_by,
        note=alert.note,
    )


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
