"""The stored gates: get, set, check."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.contracts.auth import GateCheck, GateCheckAnswer, GateDraft, GateQuery, SetGate, StoredGate
from streamgate.contracts.events import GATE_CHANGED, GateChanged
from streamgate.contracts.gate import Explanation, GateInvalid, Reading, Rule
from streamgate.contracts.metadata import ContentNotFound, ContentQuery, Metadata, Publish
from streamgate.errors import FieldError, Forbidden, Unavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database, emit
from streamgate.sdk.evm import Address
from streamgate_auth.accounts import parse_any_address
from streamgate_auth.gate.decide import Decider, owns, read_stored
from streamgate_auth.gate.evaluate import explain
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.nodes import Node, Public, describe, paths, requirements, to_rule
from streamgate_auth.gate.parse import ROOT, parse_rule
from streamgate_auth.gate.repository import GateRecord, load_gates, save_gate
from streamgate_auth.repository_wallets import load_wallets

MAX_AUDITED_CHARS = 1000


class Gates:
    """What `contracts.auth.Auth` says of gates, but the decisions themselves."""

    def __init__(self, *, db: Database, metadata: Metadata, kinds: Kinds, decider: Decider, clock: Clock) -> None:
        self._db = db
        self._metadata = metadata
        self._kinds = kinds
        self._decider = decider
        self._clock = clock

    async def get(self, query: GateQuery) -> StoredGate:
        record = await self._load(query.content_id)
        if record is None:
            return StoredGate(content_id=query.content_id, gate=None, revision=0)
        return self._show(record)

    async def validate(self, draft: GateDraft) -> None:
        """Raises GateInvalid: 422."""
        await self._parse(draft.gate)

    async def set(self, wanted: SetGate) -> StoredGate:
        """Stores the rule, tells who must know, and has metadata publish (or withdraw) the content.

        Raises:
            GateInvalid: 422. ContentNotFound: 404. Forbidden: neither the owner nor a moderator asks.
        """
        facts = await self._metadata.facts(ContentQuery(content_id=wanted.content_id))
        if not owns(wanted.actor, facts):
            raise Forbidden("only the content's owner may set its gate")
        rule = None if wanted.gate is None else to_rule(await self._parse(wanted.gate))

        def save(session: Session) -> GateRecord:
            before = load_gates(session, [wanted.content_id]).get(wanted.content_id)
            if before is not None and before.rule == rule:
                return before
            if before is None and rule is None:
                return GateRecord(content_id=wanted.content_id, rule=None, revision=0)
            by, now_ms = wanted.actor.user_id, self._clock.now_ms()
            record = save_gate(session, wanted.content_id, rule, by=by, now_ms=now_ms)
            changed = GateChanged(
                subject_id=record.content_id, revision=record.revision, has_gate=record.rule is not None
            )
            emit(session, GATE_CHANGED, changed)
            as_whom = "owner" if wanted.actor.user_id == facts.owner else "moderator"
            on = f"content:{wanted.content_id}"
            audit(session, "gate.set", on=on, actor=wanted.actor, detail={"as": as_whom, "gate": _brief(rule)})
            return record

        record = await self._db.write(save)
        await self._publish(record)
        return self._show(record)

    async def _parse(self, rule: Rule) -> Node:
        """Raises GateInvalid."""
        node = parse_rule(rule, self._kinds.by_name())
        await _check_leaves(node)
        return node

    async def _publish(self, record: GateRecord) -> None:
        """At once, so that whoever has set a gate sees it; where metadata is away it hears `gate.changed` later."""
        published = record.rule is not None
        try:
            await self._metadata.publish(
                Publish(content_id=record.content_id, revision=record.revision, published=published)
            )
        except Unavailable as fault:
            logger.bind(content_id=record.content_id, error=fault.code).warning("metadata hears of the gate later")

    async def check(self, query: GateCheck) -> GateCheckAnswer:
        """What the rule says of the asker's own wallets, or to its owner of any address. Owners see the rule's own
        answer, not that they may watch anyway.

        Raises:
            ContentNotFound: 404, also for what has no gate and is somebody else's. Forbidden: 403.
            AddressInvalid: 422.
        """
        facts = await self._metadata.facts(ContentQuery(content_id=query.content_id))
        is_owner = owns(query.actor, facts)
        if query.address is not None and not is_owner:
            raise Forbidden("only the content's owner may ask about another wallet")
        node = read_stored(await self._load(query.content_id), self._kinds)
        if isinstance(node, Explanation):
            if not is_owner and node.kind == "private":
                raise ContentNotFound(f"no content {query.content_id}")
            return GateCheckAnswer(outcome=node.outcome, explanation=node)
        explanation = await self._decider.explain_for(node, await self._wallets_of(query))
        return GateCheckAnswer(outcome=explanation.outcome, explanation=explanation)

    async def _wallets_of(self, query: GateCheck) -> Sequence[Address]:
        if query.address is not None:
            return (parse_any_address(query.address),)
        user_id = query.actor.user_id
        wallets = await self._db.read(lambda session: load_wallets(session, [user_id]))
        return wallets.get(user_id, ())

    async def _load(self, content_id: str) -> GateRecord | None:
        found = await self._db.read(lambda session: load_gates(session, [content_id]))
        return found.get(content_id)

    def _show(self, record: GateRecord) -> StoredGate:
        node = read_stored(record, self._kinds) if record.rule is not None else None
        if node is None:
            return StoredGate(content_id=record.content_id, gate=None, revision=record.revision)
        return StoredGate(
            content_id=record.content_id,
            gate=record.rule,
            revision=record.revision,
            warnings=(f"{node.text}: {node.reason}",) if isinstance(node, Explanation) else _warnings(node),
            text="" if isinstance(node, Explanation) else describe(node),
        )


async def _check_leaves(node: Node) -> None:
    """Each kind's own `check`, with the path of the leaf.

    Raises:
        GateInvalid
    """
    faults = []
    for leaf, path in zip(requirements(node), paths(node, ROOT), strict=True):
        if leaf.kind.check is not None:
            try:
                await leaf.kind.check(leaf.params)
            except ValueError as fault:
                faults.append(FieldError(path, str(fault)))
    if faults:
        raise GateInvalid(f"{faults[0].field}: {faults[0].message}", errors=tuple(faults))


def _warnings(node: Node) -> tuple[str, ...]:
    """What its owner may not have meant."""
    if isinstance(node, Public):
        return ()
    of_nobody = {leaf: Reading(outcome="does_not_hold") for leaf in requirements(node)}
    if explain(node, of_nobody).outcome == "holds":
        return ("this opens to wallets that hold nothing: whoever it shuts out can come back with a new wallet",)
    return ()


def _brief(rule: Rule | None) -> str:
    """For the audit trail: the rule itself while it is short."""
    text = "" if rule is None else orjson.dumps(rule).decode()
    return text if len(text) <= MAX_AUDITED_CHARS else f"{text[:MAX_AUDITED_CHARS]}…"
