"""Policy documents: what is one, that printing and parsing undo each other, and what is refused where."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.gate import GateInvalid
from streamgate.sdk.clock import SYSTEM_CLOCK, rfc3339
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.erc721 import Erc721Reader
from streamgate_auth.evm.fungible import FungibleReader
from streamgate_auth.gate.leaves.addresses import MAX_INLINE, AddressLists
from streamgate_auth.gate.leaves.invitation import Invitations
from streamgate_auth.gate.leaves.role import RoleReader
from streamgate_auth.gate.leaves.same_as import same_as_kind
from streamgate_auth.gate.leaves.times import Times
from streamgate_auth.gate.parse import MAX_DEPTH
from streamgate_auth.gate.policy import describe_policy, parse_policy, to_document
from streamgate_auth.gate.text import parse_json, parse_yaml, to_yaml
from tests.plugins.auth.gate.rules import CALM, depth, several

CHAINS = Chains({}, None, SYSTEM_CLOCK)
NO_DATABASE: Any = None  # nothing is read here
OURS = (
    Erc721Reader(CHAINS).kind(),
    *FungibleReader(CHAINS).kinds(),
    AddressLists(NO_DATABASE).kind(),
    Invitations(NO_DATABASE).kind(),
    Times(SYSTEM_CLOCK).kind(),
    RoleReader(NO_DATABASE, lambda session, wallets: ()).kind(),
    same_as_kind(),
)
KINDS = {kind.name: kind for kind in OURS}
CONTRACT = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
PASS: dict[str, Any] = {"erc721": {"chain": "eip155:1", "contract": CONTRACT}}
SHARED: dict[str, Any] = {"same_as": {"collection": "g_" + "a" * 22}}


def stored(plain: object) -> dict[str, Any]:
    return to_document(parse_policy(plain, KINDS))


def faults(plain: object) -> dict[str, str]:
    with pytest.raises(GateInvalid) as caught:
        parse_policy(plain, KINDS)
    return {error.field: error.message for error in caught.value.errors}


# --- printing and parsing ---------------------------------------------------------------------------

wallets = st.integers(1, 2**160 - 1).map(lambda number: f"0x{number:040x}")
moments = st.integers(0, 4_000_000_000_000).map(rfc3339)
LEAVES = st.one_of(
    wallets.map(lambda contract: {"erc721": {"chain": "eip155:1", "contract": contract}}),
    st.integers(1, 2**256 - 1).map(lambda number: {"native": {"chain": "eip155:137", "min": str(number)}}),
    st.lists(wallets, min_size=1, max_size=4).map(lambda of: {"addresses": {"of": of}}),
    st.binary(min_size=32, max_size=32).map(lambda root: {"addresses": {"merkle_root": f"0x{root.hex()}"}}),
    moments.map(lambda moment: {"time": {"from": moment}}),
    moments.map(lambda moment: {"time": {"until": moment}}),
    st.sampled_from(("viewer", "creator", "moderator", "admin")).map(lambda role: {"role": {"role": role}}),
    st.from_regex(r"[a-z0-9][a-z0-9-]{0,10}", fullmatch=True).map(lambda name: {"invitation": {"campaign": name}}),
    st.just(SHARED),
)
RULES = st.recursive(LEAVES, several, max_leaves=5).filter(lambda rule: depth(rule) < MAX_DEPTH)
DOCUMENTS = st.fixed_dictionaries(
    {"version": st.just(1), "gate": RULES},
    optional={
        "renditions": st.dictionaries(st.integers(1, 8640), RULES, max_size=3).map(
            lambda rules: [{"above_height_px": height, "gate": rule} for height, rule in rules.items()]
        ),
        "preview_s": st.one_of(st.integers(0, 86_400), st.floats(0, 86_400, width=32)),
    },
)


@CALM
@given(st.one_of(RULES, DOCUMENTS))
def test_what_is_printed_parses_as_itself(plain: object) -> None:
    printed = stored(plain)
    assert stored(printed) == printed
    assert describe_policy(parse_policy(printed, KINDS)) == describe_policy(parse_policy(plain, KINDS))


@CALM
@given(st.one_of(RULES, DOCUMENTS))
def test_json_and_yaml_say_the_same(plain: object) -> None:
    printed = stored(plain)
    assert parse_yaml(to_yaml(printed).encode()) == printed
    assert parse_json(orjson.dumps(printed)) == printed


def test_a_bare_rule_stays_bare() -> None:
    bare = stored(PASS)
    assert bare == {"erc721": {**PASS["erc721"], "token_id": None, "min": "1"}}
    assert stored({"version": 1, "gate": PASS, "renditions": [], "preview_s": 0}) == bare


def test_a_document_in_words() -> None:
    document = {
        "version": 1,
        "gate": {"role": {"role": "viewer"}},
        "renditions": [
            {"above_height_px": 1080, "gate": PASS},
            {"above_height_px": 720, "gate": {"addresses": {"of": [CONTRACT, CONTRACT.lower(), "0x" + "1" * 40]}}},
        ],
        "preview_s": 30.5,
    }
    assert describe_policy(parse_policy(document, KINDS)) == (
        "has the role viewer; above 720 lines: is on a list of 2 wallets; "
        f"above 1080 lines: holds a token of {CONTRACT} on eip155:1; the first 30.5 s are free"
    )
    assert [each["above_height_px"] for each in stored(document)["renditions"]] == [720, 1080]
    assert [path for _, path in parse_policy(document, KINDS).leaves] == [
        "gate.role",
        "renditions[0].gate.addresses",
        "renditions[1].gate.erc721",
    ]


# --- what is refused, and where ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "path"),
    [
        ({"gate": PASS}, "version"),
        ({"version": 2, "gate": PASS}, "version"),
        ({"version": True, "gate": PASS}, "version"),
        ({"version": 1}, "gate"),
        ({"version": 1, "gate": {"any": []}}, "gate.any"),
        ({"version": 1, "gate": PASS, "preveiw_s": 3}, "preveiw_s"),
        ({"version": 1, "gate": PASS, "preview_s": -1}, "preview_s"),
        ({"version": 1, "gate": PASS, "preview_s": 86_401}, "preview_s"),
        ({"version": 1, "gate": PASS, "preview_s": True}, "preview_s"),
        ({"version": 1, "gate": PASS, "preview_s": "5"}, "preview_s"),
        ({"version": 1, "gate": {"public": {}}, "preview_s": 5}, "preview_s"),
        ({"version": 1, "gate": PASS, "renditions": {}}, "renditions"),
        ({"version": 1, "gate": PASS, "renditions": [5]}, "renditions[0]"),
        ({"version": 1, "gate": PASS, "renditions": [{"gate": PASS}]}, "renditions[0].above_height_px"),
        ({"version": 1, "gate": PASS, "renditions": [{"above_height_px": 720}]}, "renditions[0].gate"),
        (
            {"version": 1, "gate": PASS, "renditions": [{"above_height_px": 0, "gate": PASS}]},
            "renditions[0].above_height_px",
        ),
        (
            {"version": 1, "gate": PASS, "renditions": [{"above_height_px": 720, "gate": {"public": {}}}]},
            "renditions[0].gate.public",
        ),
        (
            {"version": 1, "gate": PASS, "renditions": [{"above_height_px": 720, "gate": PASS}] * 2},
            "renditions",
        ),
        (
            {"version": 1, "gate": PASS, "renditions": [{"above_height_px": n, "gate": PASS} for n in range(1, 10)]},
            "renditions",
        ),
        ({"any": [SHARED] * 9}, "gate"),
        ({"addresses": {}}, "gate.addresses"),
        ({"addresses": {"of": []}}, "gate.addresses.of"),
        ({"addresses": {"of": [CONTRACT] * (MAX_INLINE + 1)}}, "gate.addresses.of"),
        ({"addresses": {"of": [CONTRACT, "0x12"]}}, "gate.addresses.of[1]"),
        ({"addresses": {"of": [CONTRACT], "merkle_root": "0x" + "a" * 64}}, "gate.addresses"),
        ({"addresses": {"merkle_root": "0x" + "a" * 63}}, "gate.addresses.merkle_root"),
        ({"time": {}}, "gate.time"),
        ({"time": {"from": "2026-01-01"}}, "gate.time.from"),
        ({"time": {"from": "2026-01-01T00:00:00"}}, "gate.time.from"),
        ({"time": {"from": "2026-02-30T00:00:00Z"}}, "gate.time.from"),
        ({"time": {"from": 5}}, "gate.time.from"),
        ({"time": {"from": "2026-01-01T00:00:00Z", "until": "2026-01-01T01:00:00+01:00"}}, "gate.time.until"),
        ({"time": {"since": "2026-01-01T00:00:00Z"}}, "gate.time.since"),
        ({"role": {"role": "king"}}, "gate.role.role"),
        ({"invitation": {"campaign": "No Spaces"}}, "gate.invitation.campaign"),
        ({"same_as": {"collection": "c_123"}}, "gate.same_as.collection"),
    ],
)
def test_what_is_no_document_is_refused_at_its_place(plain: object, path: str) -> None:
    assert list(faults(plain)) == [path]


@pytest.mark.parametrize(
    ("plain", "path", "meant"),
    [
        ({"erc72l": PASS["erc721"]}, "gate.erc72l", "erc721"),
        ({"ERC721": PASS["erc721"]}, "gate.ERC721", "erc721"),
        ({"at-least": {"count": 1, "of": [PASS]}}, "gate.at-least", "at_least"),
        ({"at_least": {"count": 1, "off": [PASS], "of": [PASS]}}, "gate.at_least.off", "of"),
        ({"erc721": {**PASS["erc721"], "tokenid": "5"}}, "gate.erc721.tokenid", "token_id"),
        ({"version": 1, "gate": PASS, "rendition": []}, "rendition", "renditions"),
        (
            {"version": 1, "gate": PASS, "renditions": [{"above_height_px": 1, "gates": 1, "gate": PASS}]},
            "renditions[0].gates",
            "gate",
        ),
    ],
)
def test_what_is_misspelt_is_guessed(plain: object, path: str, meant: str) -> None:
    found = faults(plain)
    assert list(found) == [path]
    assert f"did you mean {meant!r}?" in found[path]


def test_faults_of_the_whole_document_are_told_at_once() -> None:
    document = {
        "version": 3,
        "gate": {"any": [{"role": {"role": "king"}}, {"nft": {}}]},
        "renditions": [{"above_height_px": "hd", "gate": {"not": []}}],
        "preview_s": None,
    }
    assert list(faults(document)) == [
        "version",
        "gate.any[0].role.role",
        "gate.any[1].nft",
        "renditions[0].above_height_px",
        "renditions[0].gate.not",
        "preview_s",
    ]


def test_nodes_of_all_rules_count_together() -> None:
    many = {"any": [PASS] * 40}
    document = {"version": 1, "gate": many, "renditions": [{"above_height_px": 720, "gate": many}]}
    assert list(faults(document).values()) == ["has more than 64 nodes"]


def test_a_contract_wallet_on_a_list_is_itself_on_its_chain_alone() -> None:
    (leaf, _), *_ = parse_policy({"addresses": {"of": [f"eip155:1:{CONTRACT.lower()}"]}}, KINDS).leaves
    assert f"eip155:1:{CONTRACT}" in leaf.params.known
    assert f"eip155:10:{CONTRACT}" not in leaf.params.known
    assert CONTRACT in leaf.params.known  # a key is the same everywhere
    assert to_document(parse_policy({"addresses": {"of": [f"eip155:1:{CONTRACT}"]}}, KINDS)) == {
        "addresses": {"of": [f"eip155:1:{CONTRACT}"], "merkle_root": None}
    }
