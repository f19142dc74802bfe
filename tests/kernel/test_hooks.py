"""How hooks are registered, ordered and merged. `decide_*` fails closed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamgate.health import Check
from streamgate.hooks import (
    ABSTAIN,
    ALLOW,
    HookFault,
    Hooks,
    Verdict,
    collect_checks,
    hookimpl,
    hookspec,
    refuse,
)
from streamgate.testing.attacks import attack


@hookspec
async def decide_entry(name: str) -> Verdict:
    """A veto for these tests."""
    return ABSTAIN


async def _well() -> str:
    return ""


class Checker:
    def __init__(self, name: str) -> None:
        self._name = name

    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        return [Check(self._name, _well)]


class Broken:
    @hookimpl
    def collect_checks(self) -> Sequence[Check]:
        raise RuntimeError("no")


class Decider:
    def __init__(self, answer: Verdict) -> None:
        self._answer = answer

    @hookimpl
    async def decide_entry(self, name: str) -> Verdict:
        return self._answer


class Crasher:
    @hookimpl
    async def decide_entry(self, name: str) -> Verdict:
        raise ValueError("boom")


class Sleeper:
    @hookimpl
    async def decide_entry(self, name: str) -> Verdict:
        await asyncio.Event().wait()
        return ALLOW


class Liar:
    @hookimpl
    async def decide_entry(self, name: str) -> bool:
        return True


def deciding(*plugins: object) -> Hooks:
    hooks = Hooks()
    hooks.add_specs([decide_entry])
    for number, plugin in enumerate(plugins):
        hooks.register(f"p{number}", plugin, required=True)
    return hooks


def test_answers_come_in_the_order_of_registration_with_their_plugin() -> None:
    hooks = Hooks()
    for name in ("b", "a", "c"):
        hooks.register(name, Checker(name), required=True)
    assert [(t.plugin, t.value.name) for t in hooks.collect(collect_checks)] == [("b", "b"), ("a", "a"), ("c", "c")]


@attack("B46")
def test_an_optional_plugin_that_fails_is_left_out_and_named() -> None:
    hooks = Hooks()
    hooks.register("broken", Broken(), required=False)
    hooks.register("good", Checker("good"), required=True)
    assert [t.plugin for t in hooks.collect(collect_checks)] == ["good"]
    assert [(fault.plugin, fault.hook) for fault in hooks.faults] == [("broken", "collect_checks")]


def test_a_required_plugin_that_fails_stops_the_start() -> None:
    hooks = Hooks()
    hooks.register("broken", Broken(), required=True)
    with pytest.raises(HookFault, match="broken"):
        hooks.collect(collect_checks)


def test_an_implementation_without_a_spec_is_refused() -> None:
    class Misspelt:
        @hookimpl
        def collect_chekcs(self) -> Sequence[Check]:
            return []

    hooks = Hooks()
    with pytest.raises(ValueError, match="collect_chekcs"):
        hooks.register("misspelt", Misspelt(), required=True)
    assert hooks.collect(collect_checks) == []


def test_an_implementation_with_other_arguments_is_refused() -> None:
    class Greedy:
        @hookimpl
        async def decide_entry(self, name: str, more: int) -> Verdict:
            return ALLOW

    with pytest.raises(ValueError, match="more"):
        deciding(Greedy())


@attack("B46")
@pytest.mark.parametrize(
    ("plugins", "expected"),
    [
        ((), "abstain"),
        ((Decider(ABSTAIN),), "abstain"),
        ((Decider(ABSTAIN), Decider(ALLOW)), "allow"),
        ((Decider(ALLOW), Decider(refuse("no"))), "refuse"),
        ((Decider(refuse("no")), Decider(ALLOW)), "refuse"),
        ((Decider(ALLOW), Crasher()), "refuse"),
        ((Decider(ALLOW), Sleeper()), "refuse"),
        ((Decider(ALLOW), Liar()), "refuse"),
    ],
    ids=["nobody", "abstain", "allow", "refuse-last", "refuse-first", "crash", "silence", "not-a-verdict"],
)
async def test_any_refusal_wins_and_failure_means_no(plugins: tuple[object, ...], expected: str) -> None:
    verdict = await deciding(*plugins).decide(decide_entry, 0.05, "somebody")
    assert verdict.kind == expected


async def test_a_refusal_names_its_plugin_and_reason() -> None:
    verdict = await deciding(Decider(ALLOW), Decider(refuse("too late"))).decide(decide_entry, 1, "x")
    assert (verdict.plugin, verdict.reason) == ("p1", "too late")
