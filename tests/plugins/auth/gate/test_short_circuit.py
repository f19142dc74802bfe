"""Which leaves are asked, in which order, and that the answer is the same whichever are."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.gate import Outcome, Reading
from streamgate.contracts.hooks import Leaf
from streamgate_auth.gate.evaluate import bounds, explain, open_leaves, outcome_of, tokens_of
from streamgate_auth.gate.nodes import Node, Requirement, requirements
from streamgate_auth.gate.policy import Policy, RenditionRule
from streamgate_auth.gate.read import read_policy
from streamgate_auth.gate.verdict import judge
from tests.plugins.auth.gate.rules import CALM, NOBODY, OUTCOMES, POSITIVE_RULES, RULES, Asked, leaf

Readings = dict[Requirement, Reading]
T, F, U = "holds", "does_not_hold", "unknown"


def all_read(node: Node) -> Readings:
    return {each: Reading(outcome=each.params.says) for each in requirements(node)}


def read(policy: Policy, **how: Any) -> Readings:
    return asyncio.run(read_policy(policy, NOBODY, **how))


@CALM
@given(RULES)
def test_asking_less_answers_the_same(rule: object) -> None:
    asked = Asked()
    policy = asked.policy(rule)
    readings = read(policy)
    assert outcome_of(policy.gate, readings) == outcome_of(policy.gate, all_read(policy.gate))
    assert bounds(policy.gate, readings)[0] == bounds(policy.gate, readings)[1]
    assert asked.count == len(readings) <= len(policy.leaves)


@CALM
@given(RULES, st.data())
def test_the_answer_is_the_same_in_every_order(rule: object, data: st.DataObject) -> None:
    """Leaves are read one by one in any order, and none after it is settled: what is settled stays so."""
    node = Asked().node(rule)
    whole = outcome_of(node, all_read(node))
    readings: Readings = {}
    for each in data.draw(st.permutations(list(requirements(node)))):
        least, greatest = bounds(node, readings)
        if least == greatest:
            break
        readings[each] = Reading(outcome=each.params.says)
    assert explain(node, readings).outcome == whole


@CALM
@given(RULES, st.data())
def test_a_leaf_is_asked_exactly_if_it_can_change_the_answer(rule: object, data: st.DataObject) -> None:
    """Against the definition: there are answers of the other open leaves under which this one makes a difference."""
    node = Asked().node(rule)
    leaves = list(requirements(node))
    readings: Readings = {
        each: Reading(outcome=data.draw(st.sampled_from(OUTCOMES))) for each in leaves if data.draw(st.booleans())
    }
    asked = set(open_leaves(node, readings))
    rest = [each for each in leaves if each not in readings]
    assert asked <= set(rest)
    if len(rest) <= 5:
        assert asked == {each for each in rest if matters(node, each, [o for o in rest if o is not each], readings)}


def matters(node: Node, one: Requirement, others: list[Requirement], readings: Readings) -> bool:
    if not others:
        return len({outcome_of(node, {**readings, one: Reading(outcome=says)}) for says in OUTCOMES}) > 1
    first, *left = others
    return any(matters(node, one, left, {**readings, first: Reading(outcome=says)}) for says in OUTCOMES)


@CALM
@given(POSITIVE_RULES, st.data())
def test_losing_something_never_opens_a_gate_without_not(rule: object, data: st.DataObject) -> None:
    node = Asked().node(rule)
    before = all_read(node)
    lost = data.draw(st.sampled_from(list(before)))
    after = {**before, lost: Reading(outcome="does_not_hold")}
    worth = {F: 0, U: 1, T: 2}
    assert worth[explain(node, after).outcome] <= worth[explain(node, before).outcome]


@CALM
@given(RULES)
def test_what_is_not_asked_is_said_so(rule: object) -> None:
    policy = Asked().policy(rule)
    readings = read(policy)
    told = explain(policy.gate, readings)
    waiting, leaves = [told], []
    while waiting:
        node = waiting.pop()
        waiting.extend(node.parts)
        assert node.asked or node.outcome == "unknown"
        if not node.parts:
            leaves.append(node)
    assert told.asked
    assert sum(each.asked for each in leaves) == len(readings)
    assert all(each.asked or each.reason.startswith("was not asked") for each in leaves)


def test_cheap_leaves_spare_the_chain() -> None:
    asked = Asked()
    read(asked.policy({"any": [leaf(T), leaf(T), leaf(T, "free")]}))
    assert asked.rounds == [[T]]
    asked = Asked()
    read(asked.policy({"all": [leaf(T), leaf(T, "stored"), leaf(F, "free")]}))
    assert asked.rounds == [[F]]
    asked = Asked()
    read(asked.policy({"any": [{"all": [leaf(T), leaf(F, "free")]}, leaf(U, "stored"), leaf(T)]}))
    assert asked.rounds == [[F], [U], [T]]  # the first chain leaf can change nothing any more


def test_leaves_of_one_cost_are_asked_at_once() -> None:
    asked = Asked()
    read(asked.policy({"all": [*[leaf(T)] * 10, leaf(T, "free")]}))
    assert asked.rounds == [[T], [T] * 10]


def test_only_the_first_of_what_may_be_enough_counts_as_its_token() -> None:
    one, other, third = (leaf(T, token=name) for name in "abc")
    for rule, tokens in (
        ({"any": [leaf(F, token="x"), one, other]}, "a"),
        ({"all": [one, other]}, "ab"),
        ({"at_least": {"count": 2, "of": [leaf(F), one, other, third]}}, "ab"),
        ({"all": [one, {"not": leaf(F, token="x")}]}, "a"),
        ({"all": [one, leaf(F)]}, ""),
    ):
        node = Asked().node(rule)
        readings = {each: Reading(outcome=each.params.says, tokens=(each.params.token,)) for each in requirements(node)}
        assert tokens_of(node, readings) == tuple(tokens)


# --- renditions -------------------------------------------------------------------------------------


def with_renditions(asked: Asked, gate: object, **heights: object) -> Policy:
    rules = [RenditionRule(above_height_px=int(name[1:]), gate=asked.node(rule)) for name, rule in heights.items()]
    return Policy(gate=asked.node(gate), renditions=tuple(rules), preview_s=30.0)


@pytest.mark.parametrize(
    ("gate", "low", "high", "outcome", "cap", "count"),
    [
        (T, T, T, T, None, 3),
        (T, T, F, T, 1080, 3),
        (T, F, T, T, 480, 3),
        (T, U, T, T, 480, 3),
        (T, T, U, T, 1080, 3),
        (F, T, T, F, 480, 3),  # what is refused shows no more than the lowest
        (U, T, T, U, None, 3),
    ],
)
def test_the_lowest_height_that_is_not_open_is_the_cap(
    gate: Outcome, low: Outcome, high: Outcome, outcome: Outcome, cap: int | None, count: int
) -> None:
    asked = Asked()
    policy = with_renditions(asked, leaf(gate), h480=leaf(low), h1080=leaf(high))
    verdict = judge(policy, read(policy))
    assert (verdict.outcome, verdict.preview_s) == (outcome, 30.0 if outcome == F else 0.0)
    assert asked.rounds == [[gate, low, high]]  # one round trip for all of it
    if outcome != F:
        assert verdict.max_height_px == cap


def test_rules_for_heights_that_are_shut_anyway_are_not_asked() -> None:
    asked = Asked()
    policy = with_renditions(asked, leaf(F, "free"), h480=leaf(T), h1080=leaf(T))
    assert judge(policy, read(policy)).max_height_px == 480
    assert asked.rounds == [[F]]
    asked = Asked()
    policy = with_renditions(asked, leaf(T, "free"), h480=leaf(F, "free"), h1080=leaf(T))
    assert judge(policy, read(policy)).max_height_px == 480
    assert asked.rounds == [[T, F]]


# --- leaves that misbehave --------------------------------------------------------------------------


async def crash(leaf: Leaf) -> Reading:
    raise RuntimeError("boom")


async def hang(leaf: Leaf) -> Reading:
    await asyncio.Event().wait()
    raise AssertionError


async def mumble(leaf: Leaf) -> Any:
    return True


async def invent(leaf: Leaf) -> Any:
    return Reading(outcome="maybe")  # type: ignore[arg-type]


@pytest.mark.parametrize("misread", [crash, hang, mumble, invent])
def test_a_kind_that_fails_is_unknown_and_opens_nothing_under_not(
    misread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Asked, "read", lambda self, question: misread(question))
    policy = Asked().policy({"all": [{"not": leaf(T, "free")}, {"not": leaf(T, "chain")}]})
    readings = read(policy, timeout_s=0.05)
    assert explain(policy.gate, readings).outcome == "unknown"
    assert len(readings) == 2  # the second round ends in no time when the first has taken it all
