"""The gate language: what is a rule, what it says in words, and its three-valued logic."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.gate import GateInvalid, Outcome, Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.erc721 import Erc721Reader
from streamgate_auth.evm.fungible import FungibleReader
from streamgate_auth.gate.evaluate import all_of, any_of, at_least, explain, negate
from streamgate_auth.gate.nodes import AtLeast, Group, Node, Not, describe, leaf_keys, paths, requirements, to_rule
from streamgate_auth.gate.parse import MAX_DEPTH, MAX_NODES, parse_rule
from tests.plugins.auth.gate.rules import CALM

CONTRACT = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
PASS: dict[str, Any] = {"erc721": {"chain": "eip155:1", "contract": CONTRACT}}
ITEMS: dict[str, Any] = {"erc1155": {"chain": "eip155:1", "contract": CONTRACT, "token_id": "7"}}
COINS: dict[str, Any] = {"erc20": {"chain": "eip155:1", "contract": CONTRACT, "min": "5"}}
OUTCOMES: tuple[Outcome, ...] = ("holds", "does_not_hold", "unknown")


@attrs.frozen(kw_only=True)
class Age:
    years: int


def never_read(leaf: Leaf) -> Any:
    raise AssertionError(leaf)


AGE = RequirementKind(
    name="age", summary="", params=Age, describe=lambda params: f"is {params.years} or older", read=never_read
)
CHAINS = Chains({}, None, SYSTEM_CLOCK)
OURS = (Erc721Reader(CHAINS).kind(), *FungibleReader(CHAINS).kinds())
KINDS = {kind.name: kind for kind in (*OURS, AGE)}


def parse(rule: object) -> Node:
    return parse_rule(rule, KINDS)


def faults(rule: object) -> dict[str, str]:
    with pytest.raises(GateInvalid) as caught:
        parse(rule)
    assert caught.value.status == 422
    return {error.field: error.message for error in caught.value.errors}


# --- parsing ----------------------------------------------------------------------------------------


def test_a_rule_is_stored_whole_and_canonical() -> None:
    rule = {"any": [{"erc721": {"chain": "eip155:1", "contract": CONTRACT.lower()}}, {"not": {"age": {"years": 9}}}]}
    full = {"chain": "eip155:1", "contract": CONTRACT, "token_id": None, "min": "1"}
    stored = to_rule(parse(rule))
    assert stored == {"any": [{"erc721": full}, {"not": {"age": {"years": 9}}}]}
    assert to_rule(parse(stored)) == stored


def test_public_stands_alone() -> None:
    assert to_rule(parse({"public": {}})) == {"public": {}}
    assert faults({"public": {"x": 1}}) == {"gate.public": "must be {}"}
    nested: list[dict[str, Any]] = [{"any": [{"public": {}}]}, {"not": {"public": {}}}, {"all": [PASS, {"public": {}}]}]
    for rule in nested:
        assert list(faults(rule).values()) == ["stands only alone, as the whole gate of a content"]


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        (None, "gate"),
        ([], "gate"),
        ("public", "gate"),
        ({}, "gate"),
        ({**PASS, "age": {"years": 1}}, "gate"),
        ({"any": []}, "gate.any"),
        ({"all": []}, "gate.all"),
        ({"any": PASS}, "gate.any"),
        ({"not": [PASS]}, "gate.not"),
        ({"not": {}}, "gate.not"),
        ({"none": [PASS]}, "gate.none"),
        ({"at_least": [PASS]}, "gate.at_least"),
        ({"at_least": {"of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": 1, "of": [PASS], "x": 1}}, "gate.at_least.x"),
        ({"at_least": {"count": 0, "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": 2, "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": -1, "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": True, "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": 1.0, "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": "1", "of": [PASS]}}, "gate.at_least.count"),
        ({"at_least": {"count": 1, "of": PASS}}, "gate.at_least.of"),
        ({"at_least": {"count": 1, "of": [PASS, {"public": {}}]}}, "gate.at_least.of[1].public"),
        ({"any": [PASS, {"spl": {}}]}, "gate.any[1].spl"),
        ({"erc1155": {"chain": "eip155:1", "contract": CONTRACT}}, "gate.erc1155.token_id"),
        ({"erc1155": {"chain": "eip155:1", "contract": CONTRACT, "token_id": None}}, "gate.erc1155.token_id"),
        ({"erc1155": {"chain": "eip155:1", "contract": CONTRACT, "token_id": "x"}}, "gate.erc1155.token_id"),
        ({"erc20": {"chain": "eip155:1", "contract": CONTRACT, "min": "1.5"}}, "gate.erc20.min"),
        ({"erc20": {"chain": "eip155:1", "contract": CONTRACT, "token_id": "1"}}, "gate.erc20.token_id"),
        ({"native": {"chain": "eip155:1", "min": "0"}}, "gate.native.min"),
        ({"native": {"chain": "eip155:1", "contract": CONTRACT}}, "gate.native.contract"),
        ({"native": {"chain": "solana:mainnet"}}, "gate.native.chain"),
        ({"any": [{"all": [PASS, 5]}]}, "gate.any[0].all[1]"),
        ({"erc721": {"chain": "eip155:1"}}, "gate.erc721.contract"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "owner": 1}}, "gate.erc721.owner"),
        ({"erc721": {"chain": "mainnet", "contract": CONTRACT}}, "gate.erc721.chain"),
        ({"erc721": {"chain": "eip155:01", "contract": CONTRACT}}, "gate.erc721.chain"),
        ({"erc721": {"chain": 1, "contract": CONTRACT}}, "gate.erc721.chain"),
        ({"erc721": {"chain": "eip155:1", "contract": "0x12"}}, "gate.erc721.contract"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT.replace("C0", "c0")}}, "gate.erc721.contract"),
        ({"erc721": {"chain": "eip155:1", "contract": "0x" + "0" * 40}}, "gate.erc721.contract"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": 2}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": "0"}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": "-1"}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": "1e3"}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": "01"}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "min": "٣"}}, "gate.erc721.min"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "token_id": str(2**256)}}, "gate.erc721.token_id"),
        ({"erc721": {"chain": "eip155:1", "contract": CONTRACT, "token_id": "1", "min": "2"}}, "gate.erc721"),
        ({"erc721": {**PASS["erc721"], "token_id": "1", "max": "1"}}, "gate.erc721"),
        ({"erc721": {**PASS["erc721"], "token_id": "1", "token_ids": {"from": "1", "to": "2"}}}, "gate.erc721"),
        ({"erc721": {**PASS["erc721"], "token_ids": {"from": "2", "to": "1"}}}, "gate.erc721.token_ids.to"),
        ({"erc721": {**PASS["erc721"], "token_ids": {"from": "-1", "to": "1"}}}, "gate.erc721.token_ids.from"),
        ({"erc721": {**PASS["erc721"], "token_ids": {"from": "1"}}}, "gate.erc721.token_ids.to"),
        ({"erc721": {**PASS["erc721"], "token_ids": ["1", "2"]}}, "gate.erc721.token_ids"),
        ({"erc721": {**PASS["erc721"], "min": "3", "max": "2"}}, "gate.erc721.max"),
        ({"erc1155": {**ITEMS["erc1155"], "max": "0"}}, "gate.erc1155.max"),
        ({"erc20": {**COINS["erc20"], "max": "4"}}, "gate.erc20.max"),
        ({"erc20": {**COINS["erc20"], "finality": "confirmed"}}, "gate.erc20.finality"),
        ({"native": {"chain": "eip155:1", "held_for_s": -1}}, "gate.native.held_for_s"),
        ({"native": {"chain": "eip155:1", "held_for_s": 30 * 86_400 + 1}}, "gate.native.held_for_s"),
        ({"native": {"chain": "eip155:1", "held_for_s": "60"}}, "gate.native.held_for_s"),
        ({"native": {"chain": "eip155:1", "delegated": 1}}, "gate.native.delegated"),
    ],
)
def test_what_is_no_rule_is_refused_at_its_path(rule: object, path: str) -> None:
    assert list(faults(rule)) == [path]


def test_all_faults_are_told_at_once() -> None:
    rule = {"all": [{"erc721": {"chain": "x", "contract": "y"}}, {"any": []}, {"age": {"years": "9"}}]}
    assert list(faults(rule)) == [
        "gate.all[0].erc721.chain",
        "gate.all[0].erc721.contract",
        "gate.all[1].any",
        "gate.all[2].age.years",
    ]


def test_a_rule_is_bounded_in_depth_and_size() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return PASS if depth == 1 else {"not": nested(depth - 1)}

    parse(nested(MAX_DEPTH))
    assert list(faults(nested(MAX_DEPTH + 1)).values()) == [f"is nested more than {MAX_DEPTH} deep"]
    assert list(faults(nested(400)).values()) == [f"is nested more than {MAX_DEPTH} deep"]
    parse({"any": [PASS] * (MAX_NODES - 1)})
    assert faults({"any": [PASS] * 5000}) == {"gate": f"has more than {MAX_NODES} nodes"}


def test_words_paths_and_leaf_keys() -> None:
    node = parse({"any": [{"all": [PASS, {"age": {"years": 18}}]}, {"not": PASS}]})
    one = f"holds a token of {CONTRACT} on eip155:1"
    assert describe(node) == f"({one} and is 18 or older) or not ({one})"
    assert list(paths(node, "gate")) == [
        "gate.any[0].all[0].erc721",
        "gate.any[0].all[1].age",
        "gate.any[1].not.erc721",
    ]
    assert leaf_keys(node) == (f"eip155:1/{CONTRACT.lower()}",)
    several = {"erc721": {**PASS["erc721"], "min": "3"}}
    certain = {"erc721": {**PASS["erc721"], "token_id": "7"}}
    assert describe(parse(several)) == f"holds at least 3 tokens of {CONTRACT} on eip155:1"
    assert describe(parse(certain)) == f"holds token 7 of {CONTRACT} on eip155:1"
    two = parse({"any": [{"at_least": {"count": 2, "of": [PASS, {"age": {"years": 18}}, ITEMS]}}, COINS]})
    assert describe(two) == (
        f"(at least 2 of: ({one}); (is 18 or older); (holds at least 1 of token 7 of {CONTRACT} on eip155:1)) "
        f"or holds at least 5 base units of {CONTRACT} on eip155:1"
    )
    assert list(paths(two, "gate"))[:2] == ["gate.any[0].at_least.of[0].erc721", "gate.any[0].at_least.of[1].age"]
    assert len(leaf_keys(two)) == 1
    assert leaf_keys(parse({"native": {"chain": "eip155:1"}})) == ()


ETHER = 10**18


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"native": {"chain": "eip155:1", "min": str(15 * 10**17)}}, "holds at least 1.5 ETH on eip155:1"),
        (
            {"native": {"chain": "eip155:137", "min": str(ETHER), "max": str(2 * ETHER), "held_for_s": 3600}},
            "holds from 1 POL to 2 POL on eip155:137 for 1 hour",
        ),
        (
            {"native": {"chain": "eip155:1", "min": str(ETHER), "max": str(ETHER), "finality": "safe"}},
            "holds exactly 1 ETH on eip155:1 as of the latest safe block",
        ),
        ({"native": {"chain": "eip155:987654", "min": "1"}}, "holds at least 1 base unit of the coin of eip155:987654"),
        ({"native": {"chain": "eip155:987654"}}, "holds at least 1 base unit of the coin of eip155:987654"),
        (
            {"native": {"chain": "eip155:987654", "max": "7"}},
            "holds 1 to 7 base units of the coin of eip155:987654",
        ),
        (
            {"erc20": {"chain": "eip155:1", "contract": CONTRACT, "max": "1"}},
            f"holds exactly 1 base unit of {CONTRACT} on eip155:1",
        ),
        (
            {"erc721": {**PASS["erc721"], "held_for_s": 86_400, "finality": "finalized", "delegated": True}},
            (
                f"holds a token of {CONTRACT} on eip155:1 for 1 day as of the latest finalized block, or acts for a "
                "wallet that does (delegate.xyz)"
            ),
        ),
        (
            {"erc20": {"chain": "eip155:1", "contract": CONTRACT, "min": "2", "finality": "latest"}},
            f"holds at least 2 base units of {CONTRACT} on eip155:1 as of the latest block",
        ),
    ],
)
def test_amounts_are_said_as_people_count_them_and_at_which_finality(rule: dict[str, Any], text: str) -> None:
    assert describe(parse(rule)) == text


# --- logic ------------------------------------------------------------------------------------------

# Kleene's strong tables, written out: (a, b, a or b, a and b).
T, F, U = "holds", "does_not_hold", "unknown"
TABLE = [
    (T, T, T, T),
    (T, F, T, F),
    (T, U, T, U),
    (F, T, T, F),
    (F, F, F, F),
    (F, U, U, F),
    (U, T, T, U),
    (U, F, U, F),
    (U, U, U, U),
]


@pytest.mark.parametrize(("a", "b", "either", "both"), TABLE)
def test_kleenes_tables(a: Outcome, b: Outcome, either: Outcome, both: Outcome) -> None:
    assert (any_of([a, b]), all_of([a, b])) == (either, both)


# Of three, so many hold, so many are unknown, the rest fail: at least 1, 2, 3 of them.
AT_LEAST = [
    (3, 0, (T, T, T)),
    (2, 1, (T, T, U)),
    (2, 0, (T, T, F)),
    (1, 2, (T, U, U)),
    (1, 1, (T, U, F)),
    (1, 0, (T, F, F)),
    (0, 3, (U, U, U)),
    (0, 2, (U, U, F)),
    (0, 1, (U, F, F)),
    (0, 0, (F, F, F)),
]


@pytest.mark.parametrize(("hold", "unknown", "expected"), AT_LEAST)
def test_at_least_so_many(hold: int, unknown: int, expected: tuple[Outcome, ...]) -> None:
    outcomes: list[Outcome] = [*[T] * hold, *[U] * unknown, *[F] * (3 - hold - unknown)]  # type: ignore[list-item]
    assert tuple(at_least(count, outcomes) for count in (1, 2, 3)) == expected
    assert at_least(1, outcomes) == any_of(outcomes)
    assert at_least(3, outcomes) == all_of(outcomes)


def test_not_keeps_unknown() -> None:
    assert [negate(outcome) for outcome in OUTCOMES] == ["does_not_hold", "holds", "unknown"]


numbers = st.integers(0, 2**256 - 1).map(str)
amounts = st.integers(1, 2**256 - 1).map(str)
chains = st.integers(1, 2**40).map(lambda number: f"eip155:{number}")
contracts = st.integers(1, 2**160 - 1).map(lambda number: f"0x{number:040x}")
ranges = st.tuples(st.integers(0, 2**255), st.integers(0, 2**255)).map(
    lambda pair: {"from": str(min(pair)), "to": str(max(pair))}
)
MORE: dict[str, st.SearchStrategy[Any]] = {
    "max": st.just(str(2**256 - 1)),
    "finality": st.sampled_from(["latest", "safe", "finalized"]),
    "held_for_s": st.integers(0, 30 * 86_400),
    "delegated": st.booleans(),
}
LEAVES = st.one_of(
    st.fixed_dictionaries({"chain": chains, "contract": contracts, "min": amounts}).map(lambda p: {"erc721": p}),
    st.fixed_dictionaries({"chain": chains, "contract": contracts, "token_id": numbers}).map(lambda p: {"erc721": p}),
    st.fixed_dictionaries({"chain": chains, "contract": contracts, "token_id": numbers, "min": amounts}).map(
        lambda p: {"erc1155": p}
    ),
    st.fixed_dictionaries({"chain": chains, "contract": contracts, "min": amounts}).map(lambda p: {"erc20": p}),
    st.fixed_dictionaries({"chain": chains, "min": amounts}).map(lambda p: {"native": p}),
    st.fixed_dictionaries({"chain": chains, "contract": contracts, "token_ids": ranges}, optional=MORE).map(
        lambda p: {"erc721": p}
    ),
    st.fixed_dictionaries({"chain": chains, "min": amounts}, optional=MORE).map(lambda p: {"native": p}),
    st.just({"age": {"years": 18}}),
)


def _several(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        parts.map(lambda parts: {"any": parts}),
        parts.map(lambda parts: {"all": parts}),
        parts.flatmap(lambda of: st.integers(1, len(of)).map(lambda count: {"at_least": {"count": count, "of": of}})),
        inner.map(lambda part: {"not": part}),
    )


RULES = st.recursive(LEAVES, _several, max_leaves=8).filter(lambda rule: _depth(rule) <= MAX_DEPTH)


def _depth(rule: Any) -> int:
    ((name, inner),) = rule.items()
    parts = {"any": inner, "all": inner, "not": [inner]}.get(name, inner["of"] if name == "at_least" else [])
    return 1 + max(map(_depth, parts), default=0)


@CALM
@given(RULES)
def test_what_is_stored_reads_as_itself(rule: object) -> None:
    stored = to_rule(parse(rule))
    again = parse(stored)
    assert to_rule(again) == stored
    assert describe(again) == describe(parse(rule))
    assert list(paths(again, "gate")) == list(paths(parse(rule), "gate"))


def classic(node: Node, values: dict[Any, bool]) -> bool:
    """Two-valued logic, as everybody knows it."""
    match node:
        case Group(kind="any", parts=parts):
            return any(classic(part, values) for part in parts)
        case Group(parts=parts):
            return all(classic(part, values) for part in parts)
        case AtLeast(count=count, parts=parts):
            return sum(classic(part, values) for part in parts) >= count
        case Not(part=part):
            return not classic(part, values)
    return values[node]


@CALM
@given(RULES, st.data())
def test_unknown_is_never_guessed(rule: object, data: st.DataObject) -> None:
    """Whatever a definite answer says, it would say whichever way the unknown leaves turned out."""
    node = parse(rule)
    leaves = list(requirements(node))
    readings = {leaf: Reading(outcome=data.draw(st.sampled_from(OUTCOMES))) for leaf in leaves}
    outcome = explain(node, readings).outcome
    for _ in range(4):
        values = {
            leaf: data.draw(st.booleans()) if reading.outcome == "unknown" else reading.outcome == "holds"
            for leaf, reading in readings.items()
        }
        if outcome != "unknown":
            assert (outcome == "holds") == classic(node, values)


@CALM
@given(RULES)
def test_nothing_read_is_never_open(rule: object) -> None:
    assert explain(parse(rule), {}).outcome == "unknown"


def test_an_explanation_has_the_shape_of_the_rule() -> None:
    node = parse({"any": [PASS, {"not": {"age": {"years": 18}}}]})
    token, age = requirements(node)
    found = explain(
        node,
        {
            token: Reading(outcome="does_not_hold", held="0", block_number=7, nodes=1, read_at_s=5.0),
            age: Reading(outcome="unknown", reason="no answer"),
        },
    )
    assert (found.kind, found.outcome) == ("any", "unknown")
    leaf, negated = found.parts
    assert (leaf.kind, leaf.needed, leaf.held, leaf.chain, leaf.contract, leaf.block_number, leaf.nodes) == (
        "erc721",
        "1",
        "0",
        "eip155:1",
        CONTRACT,
        7,
        1,
    )
    assert (negated.outcome, negated.parts[0].reason) == ("unknown", "no answer")
