"""May they watch? From the stored rule, the wallets that are linked, and the chain; then the veto."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from streamgate.context import Actor
from streamgate.contracts.auth import DecideQuery, Decision
from streamgate.contracts.gate import Explanation, Reading
from streamgate.contracts.hooks import PlaybackQuestion, decide_playback
from streamgate.contracts.metadata import ContentNotFound, ContentQuery, Facts, Metadata
from streamgate.errors import DeadlineExceeded, StreamgateError
from streamgate.hooks import Hooks
from streamgate.sdk.clock import Clock
from streamgate.sdk.evm import Address
from streamgate_auth.at_once import at_once
from streamgate_auth.gate.compiled import Judged
from streamgate_auth.gate.grace import Grace
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.known import Gate, Known
from streamgate_auth.gate.log import DecisionLog
from streamgate_auth.gate.policy import Policy, describe_policy
from streamgate_auth.gate.read import Who, read_policy
from streamgate_auth.gate.redact import redacted
from streamgate_auth.gate.said import said
from streamgate_auth.gate.verdict import RuleVerdict, judge
from streamgate_auth.metrics import DECISIONS

FACTS_TIMEOUT_S = 2.0
VETO_TIMEOUT_S = 2.0
"""Both and `LEAF_TIMEOUT_S` follow each other, and together stay below the time that `decide` has."""

OLDER = said("gate", "unknown", "the gate has been changed", reason="its new rule cannot be read here yet")
_SAID_OF_A_WALLET = ("holds ", "is ", "has ", "passes ")
"""How the words of a rule begin where they go on from "a wallet that"; a plugin's kind may put them otherwise."""


@attrs.frozen(kw_only=True)
class _Known:
    """What is known of all queries of one call."""

    gates: Mapping[str, Gate]
    wallets: Mapping[str, tuple[Address, ...]]
    facts: Mapping[str, Facts | Explanation]  # an explanation where there are no facts


@attrs.frozen(kw_only=True)
class Made:
    """A decision with all that it was made of. `readings` by the path of the leaf; `basis`: what decided, `rule` where
    the rule was asked."""

    decision: Decision
    basis: str
    addresses: tuple[Address, ...]
    readings: Mapping[str, Reading] = attrs.field(factory=dict)


class Decider:
    """Decides; holds no answers between calls but the grace."""

    def __init__(
        self,
        *,
        known: Known,
        metadata: Metadata,
        kinds: Kinds,
        hooks: Hooks,
        grace: Grace,
        log: DecisionLog,
        clock: Clock,
    ) -> None:
        self._known = known
        self._metadata = metadata
        self._kinds = kinds
        self._hooks = hooks
        self._grace = grace
        self._log = log
        self._clock = clock

    async def decide(self, queries: Sequence[DecideQuery]) -> tuple[Decision, ...]:
        """In the order of the queries; their chain reads go in one batch a chain. What they explain is for the viewer.

        Raises:
            DatabaseUnavailable: 503. Nothing else: what is not known is an outcome.
        """
        known = await self._look_up(queries)
        return tuple(await at_once([self._decide(query, known) for query in queries]))

    async def explain_for(self, policy: Policy, who: Who) -> RuleVerdict:
        """What the rules alone say of somebody with these wallets: all of them, whether they matter or not."""
        return judge(policy, await read_policy(policy, who, everything=True))

    # --- what is known --------------------------------------------------------------------------

    async def _look_up(self, queries: Sequence[DecideQuery]) -> _Known:
        content_ids = list(dict.fromkeys(query.content_id for query in queries))
        user_ids = list(dict.fromkeys(query.actor.user_id for query in queries if query.actor.kind == "user"))
        least: dict[str, int] = {}
        for query in queries:
            least[query.content_id] = max(query.min_revision, least.get(query.content_id, 0))
        known = await self._known.of(content_ids, user_ids, least)
        facts = await at_once([self._facts(content_id) for content_id in content_ids])
        return _Known(gates=known.gates, wallets=known.wallets, facts=dict(zip(content_ids, facts, strict=True)))

    async def _facts(self, content_id: str) -> Facts | Explanation:
        try:
            async with asyncio.timeout(FACTS_TIMEOUT_S):
                return await self._metadata.facts(ContentQuery(content_id=content_id))
        except ContentNotFound:
            return said("content", "does_not_hold", "there is no such content")
        except (StreamgateError, TimeoutError) as fault:
            reason = fault.code if isinstance(fault, StreamgateError) else DeadlineExceeded.code
            return said("content", "unknown", "the content's owner is not known now", reason=reason)

    # --- one query ------------------------------------------------------------------------------

    async def _decide(self, query: DecideQuery, known: _Known) -> Decision:
        gate = known.gates[query.content_id]
        wallets = known.wallets[query.actor.user_id] if query.actor.kind == "user" else ()
        policy, revision = gate.policy, gate.revision
        if revision < query.min_revision:
            policy, revision = OLDER, query.min_revision
        made = await self._by_rule(query, known.facts[query.content_id], policy, revision, wallets)
        made = self._with_grace(query, made)
        if made.decision.outcome == "holds" or made.decision.grace_until_s or made.decision.preview_s:
            made = await self._with_veto(query, made)
        DECISIONS.labels(outcome=made.decision.outcome).inc()
        self._log.note(query, made.decision, made.basis, made.readings)
        return attrs.evolve(
            made.decision, explanation=redacted(made.decision.explanation, self._kinds.by_name(), wallets)
        )

    async def _by_rule(
        self,
        query: DecideQuery,
        facts: Facts | Explanation,
        policy: Judged,
        revision: int,
        wallets: tuple[Address, ...],
    ) -> Made:
        is_public = isinstance(policy, Policy) and policy.is_public
        if isinstance(facts, Explanation):
            return self._without_rule(facts, wallets, revision=revision)
        if owns(query.actor, facts):
            always = said("owner", "holds", "the owner, or a moderator: always")
            return self._without_rule(always, wallets, revision=revision, is_public=is_public)
        if isinstance(policy, Explanation):
            return self._without_rule(policy, wallets, revision=revision)
        if not query.actor.is_signed_in and not is_public:
            wanted = sign_in_wanted(policy)
            made = self._without_rule(wanted, wallets, revision=revision)
            return _changed(made, preview_s=policy.preview_s, max_height_px=judge(policy, {}).max_height_px)
        who = Who(
            addresses=wallets,
            actor=query.actor,
            content_id=query.content_id,
            min_block=query.min_block,
            max_age_s=query.max_age_s,
        )
        before_s = self._clock.now_s()
        readings = await read_policy(policy, who) if query.actor.is_signed_in else {}
        verdict = judge(policy, readings)
        times = [reading.read_at_s for reading in readings.values() if reading.read_at_s is not None]
        edges = [reading.until_s for reading in readings.values() if reading.until_s is not None]
        decision = Decision(
            outcome=verdict.outcome,
            is_public=is_public,
            explanation=verdict.explanation,
            read_at_s=min([before_s, *times]),
            gate_revision=revision,
            leaf_keys=policy.leaf_keys,
            tokens=verdict.tokens,
            preview_s=verdict.preview_s,
            max_height_px=verdict.max_height_px,
            valid_until_s=min(edges, default=None),
        )
        told = {path: readings[leaf] for leaf, path in policy.leaves if leaf in readings}
        return Made(decision=decision, basis="rule", addresses=wallets, readings=told)

    def _without_rule(
        self, explanation: Explanation, wallets: tuple[Address, ...], *, revision: int, is_public: bool = False
    ) -> Made:
        decision = Decision(
            outcome=explanation.outcome,
            is_public=is_public,
            explanation=explanation,
            read_at_s=self._clock.now_s(),
            gate_revision=revision,
        )
        return Made(decision=decision, basis=explanation.kind, addresses=wallets)

    def _with_grace(self, query: DecideQuery, made: Made) -> Made:
        """Only people have one: whoever is not signed in never rests on a chain."""
        who, decision = (query.actor.user_id, query.content_id), made.decision
        if query.actor.kind != "user":
            return made
        match decision.outcome:
            case "holds":
                self._grace.note(*who, decision.gate_revision, decision.read_at_s)
            case "does_not_hold":
                self._grace.forget(*who)
            case "unknown":
                until_s = self._grace.until_s(*who, decision.gate_revision)
                return _changed(made, grace_until_s=until_s if until_s > self._clock.now_s() else 0.0)
        return made

    async def _with_veto(self, query: DecideQuery, made: Made) -> Made:
        question = PlaybackQuestion(content_id=query.content_id, actor=query.actor, addresses=made.addresses)
        verdict = await self._hooks.decide(decide_playback, VETO_TIMEOUT_S, question)
        if verdict.kind != "refuse":
            return made
        reason = verdict.reason or "refused by this server's rules"
        parts = (made.decision.explanation,)
        vetoed = Explanation(kind="veto", outcome="does_not_hold", text=reason, parts=parts)
        refused = _changed(
            made, outcome="does_not_hold", explanation=vetoed, grace_until_s=0.0, preview_s=0.0, tokens=()
        )
        return attrs.evolve(refused, basis="veto")


def owns(actor: Actor, facts: Facts) -> bool:
    """The owner, a moderator, an admin, or one of our services."""
    return actor.is_moderator or (actor.kind == "user" and actor.user_id == facts.owner)


def sign_in_wanted(policy: Policy) -> Explanation:
    """What whoever is not signed in is told."""
    text = describe_policy(policy)
    of_a_wallet = f"that {text}" if text.startswith(_SAID_OF_A_WALLET) else f"of which this is true: {text}"
    return said("sign_in", "does_not_hold", f"sign in with a wallet {of_a_wallet}")


def _changed(made: Made, **changes: Any) -> Made:  # Any: values of the decision's fields
    return attrs.evolve(made, decision=attrs.evolve(made.decision, **changes))
