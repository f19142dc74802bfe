"""What a policy says once its leaves have been read. Pure, so that a past decision can be made again."""

from __future__ import annotations

import attrs

from streamgate.contracts.gate import Explanation, Outcome, RenditionExplained
from streamgate_auth.gate.evaluate import Readings, explain, outcome_of, tokens_of
from streamgate_auth.gate.policy import Policy


@attrs.frozen(kw_only=True)
class RuleVerdict:
    """`max_height_px`, `preview_s`: as in `Decision`."""

    outcome: Outcome
    explanation: Explanation
    renditions: tuple[RenditionExplained, ...]
    tokens: tuple[str, ...]
    max_height_px: int | None
    preview_s: float


def judge(policy: Policy, readings: Readings) -> RuleVerdict:
    explanation = explain(policy.gate, readings)
    return RuleVerdict(
        outcome=explanation.outcome,
        explanation=explanation,
        renditions=tuple(
            RenditionExplained(above_height_px=rule.above_height_px, explanation=explain(rule.gate, readings))
            for rule in policy.renditions
        ),
        tokens=tokens_of(policy.gate, readings),
        max_height_px=max_height_px(policy, readings),
        preview_s=policy.preview_s if explanation.outcome == "does_not_hold" else 0.0,
    )


def max_height_px(policy: Policy, readings: Readings) -> int | None:
    """The lowest height above which a rule does not hold; what is unknown, or was not asked, stays shut."""
    shut = (rule.above_height_px for rule in policy.renditions if outcome_of(rule.gate, readings) != "holds")
    return min(shut, default=None)
