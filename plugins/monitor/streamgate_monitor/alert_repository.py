"""Alert rules and alerts in the database. Functions of a session; they commit nothing."""

from __future__ import annotations

import attrs
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from streamgate.sdk.db import insert_into
from streamgate.wire import from_plain, to_plain
from streamgate_monitor.rules import Rule, Severity
from streamgate_monitor.tables import alerts, rules


@attrs.frozen(kw_only=True)
class StoredRule:
    """`owner`: who changed it last; their webhook secret signs what is told."""

    rule_id: str
    rule: Rule
    enabled: bool
    created_at_ms: int
    updated_at_ms: int
    owner: str = ""


@attrs.frozen(kw_only=True)
class Alert:
    """It fires until `resolved_at_ms`; somebody has seen it since `acknowledged_at_ms`."""

    alert_id: str
    rule_id: str
    rule_name: str
    severity: Severity
    said: str
    value: float | None
    started_at_ms: int
    resolved_at_ms: int | None = None
    acknowledged_at_ms: int | None = None
    acknowledged_by: str = ""
    note: str = ""


def put_rule(session: Session, stored: StoredRule) -> bool:
    """Whether it could be put: not where another rule has its name."""
    values = {
        "rule_id": stored.rule_id,
        "name": stored.rule.name,
        "rule": to_plain(stored.rule),
        "owner": stored.owner,
        "enabled": stored.enabled,
        "created_at_ms": stored.created_at_ms,
        "updated_at_ms": stored.updated_at_ms,
    }
    changed = {name: values[name] for name in ("name", "rule", "owner", "enabled", "updated_at_ms")}
    upsert = insert_into(session, rules).values(values).on_conflict_do_update(index_elements=["rule_id"], set_=changed)
    try:
        with session.begin_nested():  # two may come with one name at once: only the table can tell
            session.execute(upsert)
    except IntegrityError:
        return False
    return True


def delete_rule(session: Session, rule_id: str) -> bool:
    return (
        session.execute(delete(rules).where(rules.c.rule_id == rule_id).returning(rules.c.rule_id)).first() is not None
    )


def get_rule(session: Session, rule_id: str) -> StoredRule | None:
    return next((stored for stored in list_rules(session) if stored.rule_id == rule_id), None)


def list_rules(session: Session) -> list[StoredRule]:
    return [
        StoredRule(
            rule_id=row.rule_id,
            rule=from_plain(Rule, row.rule),
            owner=row.owner,
            enabled=row.enabled,
            created_at_ms=row.created_at_ms,
            updated_at_ms=row.updated_at_ms,
        )
        for row in session.execute(select(rules).order_by(rules.c.name))
    ]


def add_alert(session: Session, alert: Alert) -> None:
    session.execute(insert_into(session, alerts).values(attrs.asdict(alert)).on_conflict_do_nothing())


def resolve(session: Session, alert_id: str, at_ms: int) -> Alert | None:
    """The alert, if it was still firing."""
    statement = (
        update(alerts)
        .where(alerts.c.alert_id == alert_id, alerts.c.resolved_at_ms.is_(None))
        .values(resolved_at_ms=at_ms)
        .returning(*alerts.c)
    )
    row = session.execute(statement).first()
    return None if row is None else Alert(**row._mapping)


def acknowledge(session: Session, alert_id: str, who: str, note: str, at_ms: int) -> Alert | None:
    """Acknowledging again keeps the first moment and takes the newer note."""
    row = session.execute(select(alerts).where(alerts.c.alert_id == alert_id).with_for_update()).first()
    if row is None:
        return None
    found = Alert(**row._mapping)
    changed = attrs.evolve(
        found,
        acknowledged_at_ms=found.acknowledged_at_ms or at_ms,
        acknowledged_by=found.acknowledged_by or who,
        note=note or found.note,
    )
    values = {name: getattr(changed, name) for name in ("acknowledged_at_ms", "acknowledged_by", "note")}
    session.execute(update(alerts).where(alerts.c.alert_id == alert_id).values(values))
    return changed


def firing(session: Session) -> list[Alert]:
    query = select(alerts).where(alerts.c.resolved_at_ms.is_(None)).order_by(alerts.c.started_at_ms.desc())
    return [Alert(**row._mapping) for row in session.execute(query)]


def ended(session: Session, limit: int) -> list[Alert]:
    """Those that are over, the newest first."""
    query = select(alerts).where(alerts.c.resolved_at_ms.is_not(None)).order_by(alerts.c.started_at_ms.desc())
    return [Alert(**row._mapping) for row in session.execute(query.limit(limit))]
