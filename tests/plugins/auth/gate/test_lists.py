"""Lists of addresses: inline, by the root of their Merkle tree, and by proof. OpenZeppelin's own library says which
roots and proofs are right."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.sdk.evm import parse_address
from streamgate.testing.house import House
from streamgate.testing.wallets import Wallet
from streamgate_auth.gate import lists
from streamgate_auth.gate.leaves.merkle import leads_to, root_of
from tests.plugins.auth.gate.people import GATES, answered, creator, delete, get, post
from tests.plugins.auth.people import content_of, decide, person, set_gate

JS = Path(__file__).parents[3] / "js"


async def openzeppelin(*lists: list[str]) -> list[dict[str, Any]]:
    done = await asyncio.to_thread(
        subprocess.run,
        ["node", "merkle.mjs"],
        cwd=JS,
        input=json.dumps(lists).encode(),
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def some(count: int, first: int = 1) -> list[str]:
    return [parse_address(f"0x{number * 7919 + 1:040x}") for number in range(first, first + count)]


def below(root: str) -> dict[str, Any]:
    return {"addresses": {"merkle_root": root}}


async def test_roots_and_proofs_are_openzeppelins() -> None:
    given = [some(count) for count in (1, 2, 3, 5, 8, 33)]
    for addresses, tree in zip(given, await openzeppelin(*given), strict=True):
        assert f"0x{root_of([bytes.fromhex(each[2:]) for each in reversed(addresses)]).hex()}" == tree["root"]
        for address, proof in tree["proofs"].items():
            assert leads_to(tree["root"], address, proof)
            assert not leads_to(tree["root"], some(1, 999)[0], proof)
            assert not leads_to("0x" + "0" * 64, address, proof)
            if proof:
                assert not leads_to(tree["root"], address, proof[:-1])


async def test_a_list_opens_to_who_is_on_it(home: House) -> None:
    me, viewer = await creator(home), await person(home, "on the list")
    late = await person(home, "not on the list")
    contents = [*some(300), viewer.wallet.address]
    stored = await post(
        home, me.actor, "/lists", 201, name="friends", addresses=[*contents, viewer.wallet.address.lower()]
    )
    assert stored["size"] == 301
    assert stored["merkle_root"] == (await openzeppelin(contents))[0]["root"]
    assert await post(home, me.actor, "/lists", 201, name="again", addresses=contents) == stored
    content_id = await content_of(home, me.actor, below(stored["merkle_root"].upper().replace("0X", "0x")))
    assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    refused = await decide(home, late.actor, content_id)
    assert (refused.outcome, refused.explanation.held_text) == ("does_not_hold", "")
    assert (await get(home, me.actor, "/lists"))["items"] == [stored]

    other = await creator(home, "another creator")
    assert (await get(home, other.actor, "/lists"))["items"] == []
    await delete(home, other.actor, f"/lists/{stored['list_id']}", 404)
    assert (await delete(home, me.actor, f"/lists/{stored['list_id']}", 409))["code"] == "gate.list_in_use"
    await set_gate(home, me.actor, content_id, None)
    await delete(home, me.actor, f"/lists/{stored['list_id']}")
    await delete(home, me.actor, f"/lists/{stored['list_id']}", 404)


async def test_a_proof_opens_where_the_list_is_not_stored(home: House) -> None:
    me, viewer = await creator(home), await person(home, "with a proof")
    thief = await person(home, "with the same proof")
    (tree,) = await openzeppelin([viewer.wallet.address, *some(20)])
    root, proof = tree["root"], tree["proofs"][viewer.wallet.address]
    sent = {"merkle_root": root, "proof": proof}
    assert (await post(home, viewer.actor, "/proofs", 404, **sent))["code"] == "gate.root_unknown"
    content_id = await content_of(home, me.actor, below(root))
    stored = await set_gate(home, me.actor, content_id, below(root))
    assert "hand in a proof" in stored.warnings[0]
    assert (await decide(home, viewer.actor, content_id)).outcome == "does_not_hold"

    assert (await post(home, thief.actor, "/proofs", 422, **sent))["code"] == "gate.proof_invalid"
    assert (await post(home, thief.actor, "/proofs", 422, **sent, address=viewer.wallet.address))["errors"]
    assert (await post(home, viewer.actor, "/proofs", 422, **{**sent, "proof": proof[1:]}))["errors"]
    assert (await post(home, viewer.actor, "/proofs", 422, **{**sent, "proof": ["0x12"]}))["errors"]
    assert (await post(home, viewer.actor, "/proofs", 422, **{**sent, "merkle_root": "0x12"}))["errors"]
    assert (await decide(home, thief.actor, content_id)).outcome == "does_not_hold"

    taken = await post(home, viewer.actor, "/proofs", **sent)
    assert taken == {"merkle_root": root, "address": viewer.wallet.address}
    opened = await decide(home, viewer.actor, content_id)
    assert (opened.outcome, opened.explanation.kind) == ("holds", "addresses")


async def test_who_is_to_be_shut_out_cannot_withhold_a_proof(home: House) -> None:
    me, blocked = await creator(home), await person(home, "shut out")
    contents = [blocked.wallet.address, *some(3)]
    (tree,) = await openzeppelin(contents)
    rule = {"not": below(tree["root"])}
    content_id = await content_of(home, me.actor)
    async with home.client(me.actor) as http:
        refused = answered(await http.put(f"{GATES}/contents/{content_id}", json=rule), 422)
    assert refused["errors"][0]["field"] == "gate.not.addresses"
    assert "a proof can be withheld" in refused["errors"][0]["message"]
    await post(home, me.actor, "/collections", 422, name="x", gate=below(tree["root"]))
    stored = await post(home, me.actor, "/lists", 201, name="blocked", addresses=contents)
    await set_gate(home, me.actor, content_id, rule)
    assert (await decide(home, blocked.actor, content_id)).outcome == "does_not_hold"
    await delete(home, me.actor, f"/lists/{stored['list_id']}", 409)


async def test_inline_lists_take_solana_too(home: House) -> None:
    me, viewer = await creator(home), await person(home, "inline")
    solana = "11111111111111111111111111111112"
    rule = {"addresses": {"of": [solana, viewer.wallet.address.lower()]}}
    content_id = await content_of(home, me.actor, rule)
    assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    assert (await decide(home, me.actor, content_id)).explanation.kind == "owner"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "addresses": []}, "addresses"),
        ({"name": "x", "addresses": ["0x12", *some(1), "11111111111111111111111111111112"]}, "addresses[0]"),
        ({"name": "", "addresses": some(1)}, "name"),
        ({"name": "x", "addresses": some(1), "y": 1}, "y"),
        ({"name": "x", "addresses": some(3)}, "addresses"),
    ],
)
async def test_what_is_no_list(home: House, body: Any, field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_ADDRESSES", 2 if body["addresses"] == some(3) else 100)
    me = await creator(home)
    found = await post(home, me.actor, "/lists", 422, **body)
    assert found["errors"][0]["field"] == field


async def test_lists_are_for_creators_and_bounded(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    me, viewer = await creator(home), await person(home, "viewer")
    await post(home, viewer.actor, "/lists", 403, name="x", addresses=some(1))
    monkeypatch.setattr(lists, "MAX_LISTS", 1)
    await post(home, me.actor, "/lists", 201, name="x", addresses=some(1))
    assert (await post(home, me.actor, "/lists", 409, name="x", addresses=some(2)))["code"] == "gate.too_many"
    moderator = attrs.evolve(me.actor, user_id="p_other", roles=("moderator",))
    (stored,) = (await get(home, me.actor, "/lists"))["items"]
    await delete(home, moderator, f"/lists/{stored['list_id']}")


async def test_wallets_are_found_wherever_they_stand_in_the_list(home: House) -> None:
    me = await creator(home)
    wallets = [Wallet.named(f"listed {number}").address for number in range(40)]
    stored = await post(home, me.actor, "/lists", 201, name="many", addresses=wallets[:39])
    rule = below(stored["merkle_root"])
    asked = [
        post(home, me.actor, "/check", gate=rule, address=wallet) for wallet in (wallets[0], wallets[38], wallets[39])
    ]
    outcomes = [(await each)["outcome"] for each in asked]
    assert outcomes == ["holds", "holds", "does_not_hold"]
