"""May they watch? From the stored rule, the wallets that are linked, and the chain; then the veto."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import DecideQuery, Decision
from streamgate.contracts.gate import Explanation, GateInvalid, Outcome
from streamgate.contracts.hooks import PlaybackQuestion, decide_playback
from streamgate.contracts.metadata import ContentNotFound, ContentQuery, Facts, Metadata
from streamgate.errors import DeadlineExceeded, StreamgateError
from streamgate.hooks import Hooks
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.evm import Address
from streamgate_auth.gate.evaluate import explain
from streamgate_auth.gate.grace import Grace
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.nodes import Node, Public, describe, leaf_keys
from streamgate_auth.gate.parse import parse_rule
from streamgate_auth.gate.read import read_leaves
from streamgate_auth.gate.repository import GateRecord, load_gates
from streamgate_auth.metrics import DECISIONS
from streamgate_auth.repository_wallets import load_wallets

FACTS_TIMEOUT_S = 2.0
VETO_TIMEOUT_S = 2.0
"""Both and `LEAF_TIMEOUT_S` follow each other, and together stay below the time that `decide` has."""


@attrs.frozen(kw_only=True)
class _Known:
    """What is known of all queries of one call."""

    gates: Mapping[str, GateRecord]
    wallets: Mapping[str, tuple[Address, ...]]
    facts: Mapping[str, Facts | Explanation]  # an explanation where there are no facts


class Decider:
    """Decides; holds no answers between calls but the grace."""

    def __init__(
        self, *, db: Database, metadata: Metadata, kinds: Kinds, hooks: Hooks, grace: Grace, clock: Clock
    ) -> None:
        self._db = db
        self._metadata = metadata
        self._kinds = kinds
        self._hooks = hooks
        self._grace = grace
        self._clock = clock

    async def decide(self, queries: Sequence[DecideQuery]) -> tuple[Decision, ...]:
        """In the order of the queries; their chain reads go in one batch a chain.

        Raises:
            DatabaseUnavailable: 503. Nothing else: what is not known is an outcome.
        """
        known = await self._look_up(queries)
        return tuple(await asyncio.gather(*(self._decide(query, known) for query in queries)))

    async def explain_for(self, node: Node, addresses: Sequence[Address]) -> Explanation:
        """What the rule alone says of somebody with these wallets."""
        return explain(node, await read_leaves(node, addresses, {}))

    # --- what is known --------------------------------------------------------------------------

    async def _look_up(self, queries: Sequence[DecideQuery]) -> _Known:
        content_ids = list(dict.fromkeys(query.content_id for query in queries))
        user_ids = list(dict.fromkeys(query.actor.user_id for query in queries if query.actor.kind == "user"))

        def load(session: Session) -> tuple[dict[str, GateRecord], dict[str, tuple[Address, ...]]]:
            return load_gates(session, content_ids), load_wallets(session, user_ids)

        gates, wallets = await self._db.read(load)
        facts = await asyncio.gather(*(self._facts(content_id) for content_id in content_ids))
        return _Known(gates=gates, wallets=wallets, facts=dict(zip(content_ids, facts, strict=True)))

    async def _facts(self, content_id: str) -> Facts | Explanation:
        try:
            async with asyncio.timeout(FACTS_TIMEOUT_S):
                return await self._metadata.facts(ContentQuery(content_id=content_id))
        except ContentNotFound:
            return _said("content", "does_not_hold", "there is no such content")
        except (StreamgateError, TimeoutError) as fault:
            reason = fault.code if isinstance(fault, StreamgateError) else DeadlineExceeded.code
            return _said("content", "unknown", "the content's owner is not known now", reason=reason)

    # --- one query ------------------------------------------------------------------------------

    async def _decide(self, query: DecideQuery, known: _Known) -> Decision:
        gate = known.gates.get(query.content_id)
        wallets = known.wallets.get(query.actor.user_id, ()) if query.actor.kind == "user" else ()
        decision = await self._by_rule(query, known.facts[query.content_id], gate, wallets)
        decision = self._with_grace(query, decision)
        if decision.outcome == "holds" or decision.grace_until_s:
            decision = await self._with_veto(query, decision, wallets)
        DECISIONS.labels(outcome=decision.outcome).inc()
        return decision

    async def _by_rule(
        self, query: DecideQuery, facts: Facts | Explanation, gate: GateRecord | None, wallets: Sequence[Address]
    ) -> Decision:
        now = Decision(
            outcome="unknown",
            is_public=False,
            explanation=_said("content", "unknown", ""),
            read_at_s=self._clock.now_s(),
            gate_revision=gate.revision if gate is not None else 0,
        )
        if isinstance(facts, Explanation):
            return _concluded(now, facts)
        node = read_stored(gate, self._kinds)
        now = attrs.evolve(now, is_public=isinstance(node, Public))
        if owns(query.actor, facts):
            return _concluded(now, _said("owner", "holds", "the owner, or a moderator: always"))
        if isinstance(node, Explanation):
            return _concluded(now, node)
        if not query.actor.is_signed_in and not now.is_public:
            wanted = f"sign in with a wallet: {describe(node)}"
            return _concluded(now, _said("sign_in", "does_not_hold", wanted))
        readings = await read_leaves(node, wallets, query.min_block)
        times = [reading.read_at_s for reading in readings.values() if reading.read_at_s is not None]
        decided = attrs.evolve(now, read_at_s=min([now.read_at_s, *times]), leaf_keys=leaf_keys(node))
        return _concluded(decided, explain(node, readings))

    def _with_grace(self, query: DecideQuery, decision: Decision) -> Decision:
        """Only people have one: whoever is not signed in never rests on a chain."""
        who = (query.actor.user_id, query.content_id)
        if query.actor.kind != "user":
            return decision
        match decision.outcome:
            case "holds":
                self._grace.note(*who, decision.gate_revision, decision.read_at_s)
            case "does_not_hold":
                self._grace.forget(*who)
            case "unknown":
                until_s = self._grace.until_s(*who, decision.gate_revision)
                return attrs.evolve(decision, grace_until_s=until_s if until_s > self._clock.now_s() else 0.0)
        return decision

    async def _with_veto(self, query: DecideQuery, decision: Decision, wallets: Sequence[Address]) -> Decision:
        question = PlaybackQuestion(content_id=query.content_id, actor=query.actor, addresses=tuple(wallets))
        verdict = await self._hooks.decide(decide_playback, VETO_TIMEOUT_S, question)
        if verdict.kind != "refuse":
            return decision
        reason = verdict.reason or "refused by this server's rules"
        vetoed = Explanation(kind="veto", outcome="does_not_hold", text=reason, parts=(decision.explanation,))
        return attrs.evolve(_concluded(decision, vetoed), grace_until_s=0.0)


def read_stored(gate: GateRecord | None, kinds: Kinds) -> Node | Explanation:
    """The tree of a stored rule, or why nobody passes: there is none, or the plugin of a kind was taken away."""
    if gate is None or gate.rule is None:
        return _said("private", "does_not_hold", "has no gate: only its owner may watch")
    try:
        return parse_rule(gate.rule, kinds.by_name())
    except GateInvalid as fault:
        return _said("gate", "unknown", "the stored rule cannot be read here", reason=fault.detail)


def owns(actor: Actor, facts: Facts) -> bool:
    """The owner, a moderator, an admin, or one of our services."""
    return actor.is_moderator or (actor.kind == "user" and actor.user_id == facts.owner)


def _said(kind: str, outcome: Outcome, text: str, *, reason: str = "") -> Explanation:
    return Explanation(kind=kind, outcome=outcome, text=text, reason=reason)


def _concluded(decision: Decision, explanation: Explanation) -> Decision:
    return attrs.evolve(decision, outcome=explanation.outcome, explanation=explanation)
