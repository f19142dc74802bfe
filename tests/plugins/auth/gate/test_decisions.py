"""The log of decisions: what is written, what is not, and past decisions made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import DecideQuery, Decision
from streamgate.contracts.gate import Explanation, Outcome
from streamgate.testing.clock import FakeClock
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House, house
from streamgate.testing.wallets import Wallet
from streamgate_auth.config import AuthConfig
from streamgate_auth.gate import log
from streamgate_auth.gate.log import DecisionLog
from streamgate_auth.gate.metrics import DECISIONS_LEFT_OUT
from streamgate_auth.gate.repository_decisions import list_decisions
from tests.plugins.auth.gate.people import creator, get, post, put
from tests.plugins.auth.people import (
    NAMES,
    SERVICE,
    config_for,
    content_of,
    decide,
    holds_one,
    kernel_settings,
    person,
    set_gate,
)

OUTCOMES: tuple[Outcome, ...] = ("holds", "does_not_hold")
VIEWERS = {"role": {"role": "viewer"}}
ADMINS = {"role": {"role": "admin"}}


async def logged(home: House, me: Actor, content_id: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await get(home, me, "/decisions", content_id=content_id, **query))["items"]
    return found


async def test_what_changes_is_written_and_what_repeats_is_not(home: House) -> None:
    me, viewer = await creator(home), await person(home, "viewer")
    content_id = await content_of(home, me.actor, VIEWERS)
    for _ in range(3):
        await decide(home, viewer.actor, content_id)
        await decide(home, ANONYMOUS, content_id)
        await decide(home, SERVICE, content_id)
    await set_gate(home, me.actor, content_id, ADMINS)
    for _ in range(2):
        await decide(home, viewer.actor, content_id)
    rows = await logged(home, me.actor, content_id)
    told = [(row["user_id"], row["gate_revision"], row["outcome"], row["basis"]) for row in rows]
    assert told[0] == (viewer.actor.user_id, 2, "does_not_hold", "rule")
    # The other two may be of one millisecond, which has no order.
    assert sorted(told[1:]) == sorted([("", 1, "does_not_hold", "sign_in"), (viewer.actor.user_id, 1, "holds", "rule")])
    assert rows[0]["address"] == viewer.wallet.address
    assert rows[0]["explanation"]["held_text"] == "viewer"
    only = await logged(home, me.actor, content_id, user=viewer.actor.user_id, outcome="holds")
    assert only == [row for row in rows if row["outcome"] == "holds"]
    page = await get(home, me.actor, "/decisions", content_id=content_id, limit=2)
    rest = await get(home, me.actor, "/decisions", content_id=content_id, limit=2, cursor=page["next_cursor"])
    assert [*page["items"], *rest["items"]] == rows


async def test_the_log_is_the_owners(home: House) -> None:
    me, stranger = await creator(home), await creator(home, "stranger")
    content_id = await content_of(home, me.actor, VIEWERS)
    await decide(home, stranger.actor, content_id)
    (row,) = await logged(home, me.actor, content_id)
    await get(home, stranger.actor, "/decisions", 403, content_id=content_id)
    await get(home, stranger.actor, "/decisions", 404, content_id="c_unknown")
    await get(home, me.actor, "/decisions", 422)
    await get(home, ANONYMOUS, "/decisions", 401, content_id=content_id)
    await post(home, stranger.actor, f"/decisions/{row['decision_id']}/replay", 404)
    await post(home, me.actor, "/decisions/d_unknown/replay", 404)
    moderator = attrs.evolve(stranger.actor, roles=("moderator",))
    assert (await post(home, moderator, f"/decisions/{row['decision_id']}/replay"))["same"]


async def test_a_past_decision_is_made_again_from_what_was_read_then(chained: House, devchain: ChainClient) -> None:
    me, holder = await creator(chained), await person(chained, "seller")
    made = await post(chained, me.actor, "/collections", 201, name="x", gate=holds_one(devchain))
    rule = {"all": [{"same_as": {"collection": made["collection_id"]}}, {"not": {"role": {"role": "admin"}}}]}
    content_id = await content_of(chained, me.actor, rule)
    token_id = devchain.mint(holder.wallet.address)
    assert (await decide(chained, holder.actor, content_id)).outcome == "holds"
    (row,) = await logged(chained, me.actor, content_id)

    # The token is sold, and the rule is another.
    devchain.transfer(holder.wallet, Wallet.named("buyer of it").address, token_id)
    await put(chained, me.actor, f"/collections/{made['collection_id']}", gate=holds_one(devchain, min="5"))
    replayed = await post(chained, me.actor, f"/decisions/{row['decision_id']}/replay")
    assert replayed["same"]
    assert replayed["decision"] == row
    assert (replayed["again"]["outcome"], replayed["again"]["explanation"]) == ("holds", row["explanation"])
    assert replayed["now"]["outcome"] == "does_not_hold"
    leaf = replayed["now"]["explanation"]["parts"][0]["parts"][0]
    assert (leaf["needed"], leaf["held"]) == ("5", "0")


async def test_leaves_that_were_not_asked_then_are_not_asked_again(home: House) -> None:
    me, viewer = await creator(home), await person(home, "viewer")
    content_id = await content_of(home, me.actor, {"any": [{"invitation": {"campaign": "x"}}, VIEWERS]})
    assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    (row,) = await logged(home, me.actor, content_id)
    assert [part["asked"] for part in row["explanation"]["parts"]] == [False, True]
    replayed = await post(home, me.actor, f"/decisions/{row['decision_id']}/replay")
    assert replayed["same"]
    assert [part["asked"] for part in replayed["now"]["explanation"]["parts"]] == [True, True]


async def test_who_was_not_signed_in_is_told_the_same_again(home: House) -> None:
    me = await creator(home)
    content_id = await content_of(home, me.actor, {"version": 1, "gate": VIEWERS, "preview_s": 9})
    await decide(home, ANONYMOUS, content_id)
    (row,) = await logged(home, me.actor, content_id)
    await set_gate(home, me.actor, content_id, ADMINS)
    replayed = await post(home, me.actor, f"/decisions/{row['decision_id']}/replay")
    assert (row["basis"], replayed["same"]) == ("sign_in", True)
    again = replayed["again"]
    assert (again["outcome"], again["explanation"], again["preview_s"]) == ("does_not_hold", row["explanation"], 9)


async def test_what_was_decided_without_the_rule_is_not_made_again(tmp_path: Path, devchain: ChainClient) -> None:
    bad = Wallet.named("blocked here")
    config = attrs.evolve(config_for(devchain), blocked_addresses=(bad.address,))
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs={"auth": config}) as home:
        me, blocked = await creator(home), await person(home, "blocked here")
        content_id = await content_of(home, me.actor, {"version": 1, "gate": VIEWERS, "preview_s": 9})
        assert (await decide(home, me.actor, content_id)).outcome == "holds"
        refused = await decide(home, blocked.actor, content_id)
        assert (refused.outcome, refused.preview_s) == ("does_not_hold", 0.0)
        veto, owner = await logged(home, me.actor, content_id)
        assert (veto["basis"], owner["basis"]) == ("veto", "owner")
        replayed = await post(home, me.actor, f"/decisions/{veto['decision_id']}/replay")
        assert (replayed["again"]["outcome"], replayed["same"]) == ("holds", True)  # the rule, not the veto
        replayed = await post(home, me.actor, f"/decisions/{owner['decision_id']}/replay")
        assert (replayed["again"], replayed["same"]) == (None, False)
        await set_gate(home, me.actor, content_id, ADMINS)
        assert (await decide(home, blocked.actor, content_id)).preview_s == 0.0


async def test_nothing_is_kept_where_the_operator_wants_nothing(tmp_path: Path) -> None:
    configs = {"auth": AuthConfig(decisions_keep_days=0)}
    async with house(tmp_path, NAMES, settings=kernel_settings(tmp_path), configs=configs) as home:
        me, viewer = await creator(home), await person(home, "viewer")
        content_id = await content_of(home, me.actor, VIEWERS)
        await decide(home, viewer.actor, content_id)
        assert await logged(home, me.actor, content_id) == []


# --- by the clock -----------------------------------------------------------------------------------


def decided(outcome: Outcome, revision: int = 1) -> Decision:
    explanation = Explanation(kind="x", outcome=outcome, text="x")
    return Decision(outcome=outcome, is_public=False, explanation=explanation, read_at_s=1.0, gate_revision=revision)


def asked(user_id: str, content_id: str = "c_1") -> DecideQuery:
    return DecideQuery(content_id=content_id, actor=Actor(kind="user", user_id=user_id))


@pytest.fixture
async def own_log(home: House, monkeypatch: pytest.MonkeyPatch) -> tuple[DecisionLog, FakeClock]:
    clock = FakeClock()
    return DecisionLog(home.plugins["auth"].db, clock, keep_days=30), clock


async def count(log: DecisionLog, home: House) -> int:
    await log.flush()
    rows = await home.plugins["auth"].db.read(lambda session: list_decisions(session, "c_1", limit=100))
    return len(rows)


async def test_a_refusal_that_goes_on_is_seen_again(home: House, own_log: tuple[DecisionLog, FakeClock]) -> None:
    own, clock = own_log
    for outcome in OUTCOMES:
        own.note(asked(outcome), decided(outcome), "rule", {})
    await clock.advance(log.REPEATED_AFTER_S - 1)
    for outcome in OUTCOMES:
        own.note(asked(outcome), decided(outcome), "rule", {})
    assert await count(own, home) == 2
    await clock.advance(1)
    for outcome in OUTCOMES:
        own.note(asked(outcome), decided(outcome), "rule", {})
    assert await count(own, home) == 3


async def test_refusals_are_bounded_in_an_hour(
    home: House, own_log: tuple[DecisionLog, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, clock = own_log
    monkeypatch.setattr(log, "MAX_REFUSALS_PER_HOUR", 2)
    before = DECISIONS_LEFT_OUT._value.get()
    for number in range(5):
        own.note(asked(f"p_{number}"), decided("does_not_hold"), "rule", {})
        own.note(asked(f"q_{number}"), decided("holds"), "rule", {})
    assert await count(own, home) == 7
    assert DECISIONS_LEFT_OUT._value.get() - before == 3
    await clock.advance(3600)
    own.note(asked("p_late"), decided("does_not_hold"), "rule", {})
    assert await count(own, home) == 8


async def test_the_old_is_forgotten_and_the_log_goes_on_by_itself(
    home: House, own_log: tuple[DecisionLog, FakeClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    own, clock = own_log
    monkeypatch.setattr(log, "BATCH", 2)
    for number in range(5):
        own.note(asked(f"p_{number}"), decided("holds"), "rule", {})
    assert await count(own, home) == 5
    await clock.advance(30 * 86_400 + 1)
    own.note(asked("p_new"), decided("holds"), "rule", {})
    await own.flush()
    await own.forget()
    assert await count(own, home) == 1
    monkeypatch.setattr(log, "MAX_WAITING", 1)
    own.note(asked("p_1"), decided("holds", 2), "rule", {})
    own.note(asked("p_2"), decided("holds", 2), "rule", {})  # no room
    await own.start()
    await own.stop()  # what waits is written first
    assert await count(own, home) == 2
