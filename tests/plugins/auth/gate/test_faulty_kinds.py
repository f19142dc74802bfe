"""A kind of somebody's plugin that fails wherever it is asked: what rests on it is unknown, and nothing breaks."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from streamgate.context import ANONYMOUS
from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.testing.house import House
from tests.plugins.auth.gate.people import creator, get, post
from tests.plugins.auth.people import content_of, decide, person

MOON = {"moon": {"phase": "full"}}


@attrs.frozen(kw_only=True)
class Moon:
    phase: str


def crash(params: object) -> Any:
    raise RuntimeError("the plugin is broken")


async def shines(leaf: Leaf) -> Reading:
    return Reading(outcome="holds")


KIND = RequirementKind(
    name="moon", summary="The moon.", params=Moon, describe=lambda params: f"it is {params.phase} moon", read=shines
)


@pytest.fixture
def become(home: House, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The kind as it is from now on."""
    kinds = home.plugins["auth"].gate.kinds

    def change(**how: Any) -> None:
        monkeypatch.setattr(kinds, "_by_name", {**kinds.by_name(), "moon": attrs.evolve(KIND, **how)})
        home.plugins["auth"].gate.known.forget_gates()

    change()
    return change


FAULTS = [
    {"describe": crash},
    {"describe": lambda params: None},
    {"needed": crash},
    {"canonical": crash},
    {"canonical": lambda params: "no parameters"},
    {"leaf_key": crash},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(fault))
async def test_what_a_broken_kind_cannot_say_is_unknown(
    home: House, become: Callable[..., None], fault: dict[str, Any]
) -> None:
    me, viewer = await creator(home), await person(home, "viewer")
    rules: list[dict[str, Any]] = [MOON, {"not": MOON}, {"any": [MOON, {"role": {"role": "viewer"}}]}]
    contents = [await content_of(home, me.actor, rule) for rule in rules]
    outcomes = [(await decide(home, viewer.actor, each)).outcome for each in contents]
    assert outcomes == ["holds", "does_not_hold", "holds"]
    become(**fault)
    outcomes = [(await decide(home, viewer.actor, each)).outcome for each in contents]
    assert outcomes == ["unknown", "unknown", "holds"]
    assert (await decide(home, ANONYMOUS, contents[0])).outcome == "does_not_hold"  # signs in first
    told = await post(home, me.actor, "/check", content_id=contents[1])
    assert (told["outcome"], told["explanation"]["parts"][0]["kind"]) == ("unknown", "moon")
    await get(home, me.actor, f"/contents/{contents[0]}")
    await get(home, ANONYMOUS, "/kinds")
    refused = await post(home, me.actor, "/validate", 422, any=[MOON])
    assert [each["field"] for each in refused["errors"]] == ["gate.any[0].moon"]


async def test_a_check_that_fails_is_no_check_that_passes(home: House, become: Callable[..., None]) -> None:
    async def check(params: Moon) -> None:
        crash(params)

    become(check=check)
    refused = await post(home, (await creator(home)).actor, "/validate", 422, **MOON)
    assert [each["field"] for each in refused["errors"]] == ["gate.moon"]


@pytest.mark.parametrize("odd", [{"until_s": "soon"}, {"until_s": math.nan}, {"read_at_s": "now"}, {"outcome": True}])
async def test_an_answer_that_makes_no_sense_is_unknown(
    home: House, become: Callable[..., None], odd: dict[str, Any]
) -> None:
    async def read(leaf: Leaf) -> Reading:
        return Reading(**{"outcome": "holds", **odd})

    me, viewer = await creator(home), await person(home, "viewer")
    content_id = await content_of(home, me.actor, MOON)
    become(read=read)
    assert (await decide(home, viewer.actor, content_id)).outcome == "unknown"
