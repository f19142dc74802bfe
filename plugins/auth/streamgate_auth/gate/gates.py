"""The stored gates: get, set, check."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from loguru import logger
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import GateCheck, GateCheckAnswer, GateDraft, GateQuery, SetGate, StoredGate
from streamgate.contracts.gate import Explanation, GateInvalid, Rule
from streamgate.contracts.metadata import ContentNotFound, ContentQuery, Facts, Metadata, Publish
from streamgate.errors import FieldError, Forbidden, Unavailable
from streamgate.sdk.audit import audit
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address
from streamgate_auth.accounts import parse_any_address
from streamgate_auth.gate.checking import Checking
from streamgate_auth.gate.compiled import Compiled, Judged
from streamgate_auth.gate.decide import Decider, owns
from streamgate_auth.gate.known import Known
from streamgate_auth.gate.policy import Policy, describe_policy
from streamgate_auth.gate.read import Who
from streamgate_auth.gate.redact import redacted
from streamgate_auth.gate.repository import GateRecord, load_gates, note_warnings, save_gate
from streamgate_auth.gate.repository_collections import load_collections
from streamgate_auth.gate.verdict import RuleVerdict
from streamgate_auth.repository_wallets import load_wallets

MAX_AUDITED_CHARS = 1000


class Gates:
    """What `contracts.auth.Auth` says of gates, but the decisions themselves."""

    def __init__(
        self,
        *,
        db: Database,
        metadata: Metadata,
        compiled: Compiled,
        checking: Checking,
        decider: Decider,
        known: Known,
        clock: Clock,
    ) -> None:
        self._db = db
        self._metadata = metadata
        self._compiled = compiled
        self._checking = checking
        self._decider = decider
        self._known = known
        self._clock = clock

    async def get(self, query: GateQuery) -> StoredGate:
        record, policy = await self.load(query.content_id)
        if record is None:
            return StoredGate(content_id=query.content_id, gate=None, revision=0)
        return _show(record, policy)

    async def validate(self, draft: GateDraft) -> None:
        """Raises GateInvalid: 422."""
        await self._checking.check(draft.gate)

    async def set(self, wanted: SetGate) -> StoredGate:
        """Stores the rule, tells who must know, and has metadata publish (or withdraw) the content.

        Raises:
            GateInvalid: 422. ContentNotFound: 404. Forbidden: neither the owner nor a moderator asks.
        """
        facts = await self._metadata.facts(ContentQuery(content_id=wanted.content_id))
        if not owns(wanted.actor, facts):
            raise Forbidden("only the content's owner may set its gate")
        checked = None if wanted.gate is None else await self._checking.check(wanted.gate)
        rule = None if checked is None else checked.document

        def save(session: Session) -> GateRecord:
            before = load_gates(session, [wanted.content_id]).get(wanted.content_id)
            warnings = () if checked is None else checked.warnings
            if checked is not None:
                self._checking.require_named(session, checked, owners=(facts.owner, wanted.actor.user_id))
            if before is not None and before.rule == rule:
                return note_warnings(session, before, warnings)
            if before is None and rule is None:
                return GateRecord(content_id=wanted.content_id, rule=None, revision=0)
            record = save_gate(
                session,
                wanted.content_id,
                rule,
                by=wanted.actor.user_id,
                now_ms=self._clock.now_ms(),
                refs=() if checked is None else checked.refs,
                warnings=warnings,
            )
            _audit(session, wanted.actor, facts, record)
            return record

        record = await self._db.write(save)
        self._known.forget_gates()
        await self._publish(record)
        _, policy = await self.load(wanted.content_id)
        return _show(record, policy)

    async def check(self, query: GateCheck) -> GateCheckAnswer:
        """What the rule says of the asker's own wallets, or to its owner of any address. Owners see the rule's own
        answer, not that they may watch anyway; what others see is redacted.

        Raises:
            ContentNotFound: 404, also for what has no gate and is somebody else's. Forbidden: 403.
            AddressInvalid: 422.
        """
        facts = await self._metadata.facts(ContentQuery(content_id=query.content_id))
        is_owner = owns(query.actor, facts)
        if query.address is not None and not is_owner:
            raise Forbidden("only the content's owner may ask about another wallet")
        _, policy = await self.load(query.content_id)
        if isinstance(policy, Explanation):
            if not is_owner and policy.kind == "private":
                raise ContentNotFound(f"no content {query.content_id}")
            return GateCheckAnswer(outcome=policy.outcome, explanation=policy)
        who = await self.who(query.actor, query.address, query.content_id)
        verdict = await self._decider.explain_for(policy, who)
        return answer(verdict) if is_owner else self._for_viewers(answer(verdict), who)

    async def try_rule(self, rule: Rule, actor: Actor, address: str | None) -> GateCheckAnswer:
        """What a rule that nobody has stored says of the asker, or of an address. Opens nothing.

        Raises:
            GateInvalid, AddressInvalid: 422.
        """
        checked = await self._checking.check(rule)

        def collections(session: Session) -> dict[str, Rule]:
            self._checking.require_named(session, checked, owners=(actor.user_id,), is_moderator=actor.is_moderator)
            return {name: each.rule for name, each in load_collections(session, checked.collections).items()}

        policy = self._compiled.compile(checked.document, await self._db.read(collections))
        if isinstance(policy, Explanation):
            raise GateInvalid(policy.reason, errors=(FieldError("gate", policy.reason),))
        return answer(await self._decider.explain_for(policy, await self.who(actor, address, "")))

    async def who(self, actor: Actor, address: str | None, content_id: str) -> Who:
        """The asker with the wallets of their account, or an address that is nobody's.

        Raises:
            AddressInvalid: 422.
        """
        if address is not None:
            return Who(addresses=(parse_any_address(address),), content_id=content_id)
        return Who(addresses=await self.wallets_of(actor.user_id), actor=actor, content_id=content_id)

    async def wallets_of(self, user_id: str) -> Sequence[Address]:
        wallets = await self._db.read(lambda session: load_wallets(session, [user_id]))
        return wallets.get(user_id, ())

    async def load(self, content_id: str) -> tuple[GateRecord | None, Judged]:
        """The gate of a content, and what it is."""

        def read(session: Session) -> tuple[GateRecord | None, dict[str, Rule]]:
            gates = load_gates(session, [content_id])
            collections = load_collections(session, self._compiled.lacking(gates.values()))
            return gates.get(content_id), {name: each.rule for name, each in collections.items()}

        record, collections = await self._db.read(read)
        return record, self._compiled.of(record, collections)

    async def _publish(self, record: GateRecord) -> None:
        """At once, so that whoever has set a gate sees it; where metadata is away it hears `gate.changed` later."""
        published = record.rule is not None
        try:
            await self._metadata.publish(
                Publish(content_id=record.content_id, revision=record.revision, published=published)
            )
        except Unavailable as fault:
            logger.bind(content_id=record.content_id, error=fault.code).warning("metadata hears of the gate later")

    def _for_viewers(self, told: GateCheckAnswer, who: Who) -> GateCheckAnswer:
        kinds = self._checking.kinds.by_name()
        return GateCheckAnswer(
            outcome=told.outcome,
            explanation=redacted(told.explanation, kinds, who.addresses),
            renditions=tuple(
                type(each)(
                    above_height_px=each.above_height_px, explanation=redacted(each.explanation, kinds, who.addresses)
                )
                for each in told.renditions
            ),
            max_height_px=told.max_height_px,
            preview_s=told.preview_s,
        )


def answer(verdict: RuleVerdict) -> GateCheckAnswer:
    return GateCheckAnswer(
        outcome=verdict.outcome,
        explanation=verdict.explanation,
        renditions=verdict.renditions,
        max_height_px=verdict.max_height_px,
        preview_s=verdict.preview_s,
    )


def _show(record: GateRecord, policy: Judged) -> StoredGate:
    warnings, text = record.warnings, ""
    if isinstance(policy, Policy):
        text = describe_policy(policy)
    elif record.rule is not None:
        warnings = (*warnings, f"{policy.text}: {policy.reason}")
    return StoredGate(
        content_id=record.content_id, gate=record.rule, revision=record.revision, warnings=warnings, text=text
    )


def _audit(session: Session, actor: Actor, facts: Facts, record: GateRecord) -> None:
    """With the rule itself while it is short."""
    text = "" if record.rule is None else orjson.dumps(record.rule).decode()
    brief = text if len(text) <= MAX_AUDITED_CHARS else f"{text[:MAX_AUDITED_CHARS]}…"
    detail = {"as": "owner" if actor.user_id == facts.owner else "moderator", "gate": brief}
    audit(session, "gate.set", on=f"content:{record.content_id}", actor=actor, detail=detail)
