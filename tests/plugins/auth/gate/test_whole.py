"""Everything that gates store, on both databases; and what a decision costs on a real chain."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import REGISTRY

from streamgate.contracts.auth import AUTH, GateQuery
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from tests.plugins.auth.gate.people import creator, delete, get, post, put
from tests.plugins.auth.people import content_of, decide, holds_one, person, set_gate


async def test_from_list_to_replay(stored: House) -> None:
    me, viewer = await creator(stored), await person(stored, "viewer")
    addresses = [viewer.wallet.address, *(f"0x{number:040x}" for number in range(1, 40))]
    kept = await post(stored, me.actor, "/lists", 201, name="friends", addresses=addresses)
    listed = {"addresses": {"merkle_root": kept["merkle_root"]}}
    made = await post(stored, me.actor, "/collections", 201, name="season", gate={"not": listed})
    same = {"same_as": {"collection": made["collection_id"]}}
    document = {"version": 1, "gate": same, "renditions": [{"above_height_px": 720, "gate": listed}], "preview_s": 2.5}
    contents = [await content_of(stored, me.actor, document) for _ in range(2)]
    assert [(await decide(stored, viewer.actor, each)).outcome for each in contents] == ["does_not_hold"] * 2
    await delete(stored, me.actor, f"/lists/{kept['list_id']}", 409)

    # Two changes at once: each is a revision of its own, of the collection and of each gate.
    path = f"/collections/{made['collection_id']}"
    gates: list[Any] = [listed, {"any": [listed, {"role": {"role": "admin"}}]}]
    await asyncio.gather(*(put(stored, me.actor, path, gate=gate) for gate in gates))
    assert (await get(stored, me.actor, path))["revision"] == 3
    revisions = [(await stored.services.get(AUTH).get_gate(GateQuery(content_id=each))).revision for each in contents]
    assert revisions == [3, 3]
    opened = await decide(stored, viewer.actor, contents[0])
    assert (opened.outcome, opened.max_height_px, opened.gate_revision) == ("holds", None, 3)

    rows = (await get(stored, me.actor, "/decisions", content_id=contents[0]))["items"]
    assert [(row["outcome"], row["gate_revision"]) for row in rows] == [("holds", 3), ("does_not_hold", 1)]
    for row in rows:
        replayed = await post(stored, me.actor, f"/decisions/{row['decision_id']}/replay")
        assert (replayed["same"], replayed["now"]["outcome"]) == (True, "holds")
    for content_id in contents:
        await set_gate(stored, me.actor, content_id, None)
    await delete(stored, me.actor, path)
    await delete(stored, me.actor, f"/lists/{kept['list_id']}")


def asked_of_chains() -> float:
    """Requests to chain endpoints until now."""
    metrics = (each for each in REGISTRY.collect() if each.name == "streamgate_auth_rpc_calls")
    return sum(s.value for metric in metrics for s in metric.samples if s.name.endswith("_total"))


async def test_ten_leaves_are_one_round_trip_and_a_settled_gate_is_none(chained: House, devchain: ChainClient) -> None:
    me, viewer = await creator(chained), await person(chained, "viewer of ten")
    tokens = [holds_one(devchain, token_id=str(900_000 + number)) for number in range(10)]
    over, now = ({"time": {name: "2001-01-01T00:00:00Z"}} for name in ("until", "from"))
    costs = {}
    for name, rule in {
        "one": tokens[0],
        "ten": {"any": tokens},
        "twice": {"version": 1, "gate": now, "renditions": [{"above_height_px": 720, "gate": {"any": tokens}}]},
        "shut": {"all": [*tokens, over]},
        "open": {"any": [*tokens, now]},
    }.items():
        content_id = await content_of(chained, me.actor, rule)
        before = asked_of_chains()
        decision = await decide(chained, viewer.actor, content_id)
        costs[name] = asked_of_chains() - before
        assert decision.outcome == ("holds" if name in ("twice", "open") else "does_not_hold")
    assert costs["one"] == costs["ten"] == costs["twice"] > 0
    assert costs["shut"] == costs["open"] == 0
