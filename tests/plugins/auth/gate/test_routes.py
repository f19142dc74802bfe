"""Gates over HTTP: what there is to ask for, rules in JSON and YAML, dry runs, and who may."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import AUTH, GateQuery
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from streamgate.testing.wallets import Wallet
from streamgate_auth.gate.parse import parse_rule
from tests.plugins.auth.gate.people import GATES, answered, creator, get, post
from tests.plugins.auth.people import content_of, decide, holds_one, person, set_gate

ROLE = {"role": {"role": "creator"}}
YAML = {"Content-Type": "application/yaml"}


async def test_every_kind_is_listed_with_schema_and_example(home: House) -> None:
    found = await get(home, ANONYMOUS, "/kinds")
    assert found["operators"] == ["any", "all", "at_least", "not", "public"]
    kinds = {each["name"]: each for each in found["items"]}
    assert {"erc721", "erc1155", "erc20", "native", "addresses", "time", "role", "invitation", "same_as"} <= set(kinds)
    known = home.plugins["auth"].gate.kinds.by_name()
    for name, kind in kinds.items():
        assert kind["schema"]["type"] == "object"
        assert kind["summary"]
        parse_rule(kind["example"], known)
        assert list(kind["example"]) == [name]
    assert kinds["time"]["schema"]["properties"].keys() == {"from", "until"}
    assert (kinds["time"]["cost"], kinds["invitation"]["cost"], kinds["erc721"]["cost"]) == (0, 1, 2)
    assert kinds["addresses"]["private"]


async def test_a_gate_is_validated_in_both_languages(home: House) -> None:
    me = await creator(home)
    async with home.client(me.actor) as http:
        text = "version: 1\ngate:\n  role: {role: creator}\npreview_s: 30\n"
        found = answered(await http.post(f"{GATES}/validate", content=text, headers=YAML), 200)
        assert found["gate"] == {"version": 1, "gate": ROLE, "preview_s": 30}
        assert found["text"] == "has the role creator; the first 30 s are free"
        assert answered(await http.post(f"{GATES}/validate", json=found["gate"]), 200) == found
        bad = answered(await http.post(f"{GATES}/validate", content="any: [{rolle: {role: x}}]", headers=YAML), 422)
        assert bad["code"] == "gate.invalid"
        assert bad["errors"][0]["field"] == "gate.any[0].rolle"
        assert "did you mean 'role'?" in bad["errors"][0]["message"]
        assert answered(await http.post(f"{GATES}/validate", content="a: [", headers=YAML), 400)["code"]
        answered(await http.post(f"{GATES}/validate", content="x", headers={"Content-Type": "text/plain"}), 415)
        answered(await http.post(f"{GATES}/validate", content=b"x" * 300_000, headers=YAML), 413)
    await post(home, ANONYMOUS, "/validate", 401)


@pytest.mark.parametrize(
    ("field", "moment"), [("from", "9999-12-31T23:59:59-23:59"), ("until", "0001-01-01T00:00:00+23:59")]
)
async def test_a_moment_outside_of_the_years_that_there_are_is_refused(home: House, field: str, moment: str) -> None:
    me = await creator(home)
    refused = await post(home, me.actor, "/validate", 422, time={field: moment})
    assert [each["field"] for each in refused["errors"]] == [f"gate.time.{field}"]
    assert "years 1 to 9999" in refused["detail"]


async def test_a_gate_is_set_and_got_in_yaml(home: House) -> None:
    me, stranger = await creator(home), await person(home, "stranger")
    content_id = await content_of(home, me.actor)
    path = f"{GATES}/contents/{content_id}"
    async with home.client(me.actor) as http:
        text = "any:\n- role:\n    role: creator\n- time:\n    until: '2030-01-01T00:00:00.000Z'\n    from: null\n"
        stored = answered(await http.put(path, content=text, headers=YAML), 200)
        assert stored["revision"] == 1
        assert answered(await http.get(path), 200) == stored
        shown = await http.get(path, headers={"Accept": "application/yaml"})
        assert shown.headers["content-type"].startswith("application/yaml")
        assert answered(await http.put(path, content=shown.content, headers=YAML), 200) == stored
        answered(await http.put(path, content="[]", headers=YAML), 422)
    async with home.client(stranger.actor) as http:
        answered(await http.put(path, json=ROLE), 403)
        answered(await http.get(path), 403)
        private = await content_of(home, me.actor)
        answered(await http.put(f"{GATES}/contents/{private}", json=ROLE), 404)


async def test_a_dry_run_of_a_rule_that_nobody_has_stored(chained: House, devchain: ChainClient) -> None:
    me, viewer = await creator(chained), await person(chained, "viewer")
    holder = Wallet.named("a holder who never came")
    devchain.mint(holder.address)
    rule = {"any": [holds_one(devchain), {"role": {"role": "admin"}}]}
    found = await post(chained, me.actor, "/check", gate=rule, address=holder.address)
    assert (found["outcome"], found["explanation"]["parts"][0]["held"]) == ("holds", "1")
    assert found["explanation"]["parts"][1]["asked"]  # all is asked, whether it matters or not
    own = await post(chained, me.actor, "/check", gate=rule)
    assert (own["outcome"], own["explanation"]["parts"][1]["held_text"]) == ("does_not_hold", "creator, viewer")
    assert own["explanation"]["parts"][1]["satisfy"] == "ask who runs this server for the role admin"
    await post(chained, viewer.actor, "/check", 403, gate=rule)
    await post(chained, me.actor, "/check", 422, gate={"x": 1})
    await post(chained, me.actor, "/check", 422, gate=rule, address="0x12")
    await post(chained, me.actor, "/check", 422)
    await post(chained, me.actor, "/check", 422, gate=rule, content_id="c_1")


async def test_a_dry_run_of_a_stored_gate_shows_its_owner_more(chained: House, devchain: ChainClient) -> None:
    me, viewer = await creator(chained), await person(chained, "viewer")
    secret = Wallet.named("somebody else").address
    rule = {
        "version": 1,
        "gate": {"any": [holds_one(devchain), {"addresses": {"of": [secret, viewer.wallet.address]}}]},
        "renditions": [{"above_height_px": 720, "gate": holds_one(devchain)}],
        "preview_s": 5,
    }
    content_id = await content_of(chained, me.actor, rule)
    seen = await post(chained, viewer.actor, "/check", content_id=content_id)
    whole = await post(chained, me.actor, "/check", content_id=content_id, address=viewer.wallet.address)
    assert seen["outcome"] == whole["outcome"] == "holds"
    assert (seen["max_height_px"], seen["preview_s"]) == (720, 0.0)
    assert whole["explanation"]["parts"][1]["held_by"] == viewer.wallet.address
    assert (whole["explanation"]["parts"][0]["nodes"], seen["explanation"]["parts"][0]["nodes"]) == (1, 0)
    assert whole["renditions"][0]["explanation"]["outcome"] == "does_not_hold"
    text = str(seen)
    assert secret not in text
    assert secret.lower() not in text
    assert seen["explanation"]["parts"][1] == {
        **{name: seen["explanation"]["parts"][1][name] for name in seen["explanation"]["parts"][1]},
        "text": "is on a list of 2 wallets",
        "held_by": "",
        "held_text": "",
    }
    await post(chained, viewer.actor, "/check", 403, content_id=content_id, address=secret)
    await post(chained, viewer.actor, "/check", 404, content_id=await content_of(chained, me.actor), address=secret)
    await post(chained, ANONYMOUS, "/check", 401, content_id=content_id)


async def test_a_policy_reaches_the_decision(chained: House, devchain: ChainClient) -> None:
    me, holder = await creator(chained), await person(chained, "holder of this")
    document: dict[str, Any] = {
        "version": 1,
        "gate": holds_one(devchain),
        "renditions": [{"above_height_px": 720, "gate": holds_one(devchain, min="2")}],
        "preview_s": 30,
    }
    content_id = await content_of(chained, me.actor, document)
    refused = await decide(chained, holder.actor, content_id)
    assert (refused.outcome, refused.preview_s, refused.max_height_px) == ("does_not_hold", 30.0, 720)
    nobody = await decide(chained, ANONYMOUS, content_id)
    assert (nobody.explanation.kind, nobody.preview_s, nobody.max_height_px) == ("sign_in", 30.0, 720)
    assert nobody.explanation.text.startswith("sign in with a wallet that holds a token of 0x")
    devchain.mint(holder.wallet.address)
    low = await decide(chained, holder.actor, content_id)
    assert (low.outcome, low.preview_s, low.max_height_px) == ("holds", 0.0, 720)
    devchain.mint(holder.wallet.address)
    assert (await decide(chained, holder.actor, content_id)).max_height_px is None
    owner = await decide(chained, me.actor, content_id)
    assert (owner.outcome, owner.preview_s, owner.max_height_px) == ("holds", 0.0, None)
    await set_gate(chained, me.actor, content_id, {**document, "gate": {"public": {}}, "preview_s": 0})
    anybody = await decide(chained, ANONYMOUS, content_id)
    assert (anybody.outcome, anybody.is_public, anybody.max_height_px) == ("holds", True, 720)
    await set_gate(chained, me.actor, content_id, {"not": holds_one(devchain)})
    nobody = await decide(chained, ANONYMOUS, content_id)
    assert nobody.explanation.text.startswith("sign in with a wallet of which this is true: not (holds a token")


async def test_kinds_warn_when_a_gate_is_set(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    me = await creator(home)
    over = {"time": {"until": "2001-01-01T00:00:00Z"}}
    content_id = await content_of(home, me.actor, {"any": [ROLE, over]})
    stored = await home.services.get(AUTH).get_gate(GateQuery(content_id=content_id))
    assert stored.warnings == ("gate.any[1].time: this time is over already",)
    kinds = home.plugins["auth"].gate.kinds.by_name()
    monkeypatch.setattr("streamgate_auth.gate.checking.WARN_TIMEOUT_S", 0.05)

    async def hang(params: Any) -> list[str]:
        import asyncio

        await asyncio.Event().wait()
        return []

    async def crash(params: Any) -> list[str]:
        raise RuntimeError("the chain is away")

    for warn in (hang, crash):
        monkeypatch.setitem(kinds, "time", _with_warn(kinds["time"], warn))
        assert (await set_gate(home, me.actor, content_id, {"all": [ROLE, over]})).warnings == ()


def _with_warn(kind: Any, warn: Any) -> Any:
    import attrs

    return attrs.evolve(kind, warn=warn)


async def test_roles_and_times_open(home: House) -> None:
    me, viewer = await creator(home), await person(home, "one with roles")
    now = {"time": {"from": "2001-01-01T00:00:00Z"}}
    content_id = await content_of(home, me.actor, {"all": [{"role": {"role": "creator"}}, now]})
    assert (await decide(home, viewer.actor, content_id)).outcome == "does_not_hold"
    promoted = Actor(kind="user", user_id=viewer.actor.user_id, roles=("viewer", "creator"))
    assert (await decide(home, promoted, content_id)).outcome == "holds"
    bare = await post(home, me.actor, "/check", content_id=content_id, address=viewer.wallet.address)
    assert (bare["outcome"], bare["explanation"]["parts"][0]["held_text"]) == ("does_not_hold", "viewer")
    await home.plugins["auth"].roles.set(me.actor, viewer.wallet.address, ["creator"])
    bare = await post(home, me.actor, "/check", content_id=content_id, address=viewer.wallet.address)
    assert (bare["outcome"], bare["explanation"]["parts"][0]["held_text"]) == ("holds", "creator, viewer")
