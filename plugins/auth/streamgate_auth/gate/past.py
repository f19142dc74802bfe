"""Past decisions: which there were, and each of them made again."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.auth import GateCheckAnswer
from streamgate.contracts.gate import DecisionNotFound, Explanation, Reading
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.errors import Forbidden
from streamgate.sdk.db import Database
from streamgate.wire import from_plain, to_plain
from streamgate_auth.gate.compiled import Compiled
from streamgate_auth.gate.decide import Decider, sign_in_wanted
from streamgate_auth.gate.gates import Gates, answer
from streamgate_auth.gate.log import DecisionLog
from streamgate_auth.gate.policy import Policy
from streamgate_auth.gate.read import Who
from streamgate_auth.gate.repository import load_revision
from streamgate_auth.gate.repository_decisions import DecisionRecord, find_decision, list_decisions
from streamgate_auth.gate.said import said
from streamgate_auth.gate.verdict import judge


@attrs.frozen(kw_only=True)
class Replayed:
    """Args:
    again: what the stored revision says of the recorded readings; None where no rule was asked then, or the revision
        is not kept any more.
    is_same: whether that is what was recorded.
    now: what today's gate says of the same person today.
    """

    record: DecisionRecord
    again: GateCheckAnswer | None
    is_same: bool
    now: GateCheckAnswer


class PastDecisions:
    def __init__(
        self,
        *,
        db: Database,
        metadata: Metadata,
        compiled: Compiled,
        gates: Gates,
        decider: Decider,
        log: DecisionLog,
    ) -> None:
        self._db = db
        self._metadata = metadata
        self._compiled = compiled
        self._gates = gates
        self._decider = decider
        self._log = log

    async def listed(
        self, content_id: str, *, user_id: str, outcome: str, before: tuple[int, str] | None, limit: int
    ) -> Sequence[DecisionRecord]:
        """The newest first, those of this process up to now."""
        await self._log.flush()
        return await self._db.read(
            lambda session: list_decisions(
                session, content_id, user_id=user_id, outcome=outcome, before=before, limit=limit
            )
        )

    async def replay(self, actor: Actor, decision_id: str) -> Replayed:
        """Raises DecisionNotFound: 404, also where the content is somebody else's."""
        await self._log.flush()
        record = await self._db.read(lambda session: find_decision(session, decision_id))
        unknown = DecisionNotFound(f"there is no decision {decision_id[:40]!r} on a content of yours")
        if record is None:
            raise unknown
        try:
            await self._metadata.get(AccessQuery(content_id=record.content_id, actor=actor, want="change"))
        except (ContentNotFound, Forbidden) as fault:
            raise unknown from fault
        again = await self._again(record)
        return Replayed(
            record=record,
            again=again,
            is_same=again is not None and _is_same(again, record),
            now=await self._now(record),
        )

    async def _again(self, record: DecisionRecord) -> GateCheckAnswer | None:
        if record.basis not in ("rule", "sign_in", "veto") or (record.basis == "veto" and not record.readings):
            return None

        def load(session: Session) -> Policy | Explanation | None:
            past = load_revision(session, record.content_id, record.revision)
            return None if past is None else self._compiled.compile(past.rule, past.collections)

        policy = await self._db.read(load)
        if not isinstance(policy, Policy):
            return None
        if record.basis == "sign_in":  # the rule was not asked, and yet it says who should sign in
            wanted = sign_in_wanted(policy)
            verdict = judge(policy, {})
            return GateCheckAnswer(
                outcome=wanted.outcome,
                explanation=wanted,
                max_height_px=verdict.max_height_px,
                preview_s=policy.preview_s,
            )
        readings = {
            leaf: from_plain(Reading, record.readings[path]) for leaf, path in policy.leaves if path in record.readings
        }
        return answer(judge(policy, readings))

    async def _now(self, record: DecisionRecord) -> GateCheckAnswer:
        _, policy = await self._gates.load(record.content_id)
        if isinstance(policy, Explanation):
            return GateCheckAnswer(outcome=policy.outcome, explanation=policy)
        if not record.user_id and not policy.is_public:
            nobody = said("sign_in", "does_not_hold", "nobody was signed in")
            return GateCheckAnswer(outcome=nobody.outcome, explanation=nobody)
        who = Who(addresses=await self._gates.wallets_of(record.user_id), content_id=record.content_id)
        return answer(await self._decider.explain_for(policy, who))


def _is_same(again: GateCheckAnswer, record: DecisionRecord) -> bool:
    recorded = record.explanation
    if record.basis == "veto":  # it stands around what the rule said
        (recorded,) = recorded["parts"]
    return bool(to_plain(again.explanation) == recorded)
