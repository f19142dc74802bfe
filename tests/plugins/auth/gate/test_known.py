"""What decisions know of gates and wallets is no older than a second, and no older than the last change made here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, cast

import attrs
import pytest

from streamgate.contracts.auth import AUTH, DecideMany, DecideQuery
from streamgate.sdk.db import Database
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet
from streamgate_auth.gate.compiled import PRIVATE, Compiled
from streamgate_auth.gate.kinds import Kinds
from streamgate_auth.gate.known import KEPT_S, Known
from streamgate_auth.gate.repository import save_gate
from tests.plugins.auth.gate.people import creator, post, put
from tests.plugins.auth.people import answer_to, content_of, decide, person, set_gate

WALLETS = "/api/v1/auth/wallets"


def listed(*wallets: Wallet) -> dict[str, Any]:
    return {"addresses": {"of": [wallet.address for wallet in wallets]}}


async def test_gates_that_are_changed_here_count_at_once(home: House) -> None:
    owner, viewer = await creator(home), await person(home, "viewer")
    made = await post(home, owner.actor, "/collections", 201, name="season", gate=listed(viewer.wallet))
    shared = await content_of(home, owner.actor, {"same_as": {"collection": made["collection_id"]}})
    own = await content_of(home, owner.actor, listed(viewer.wallet))
    for content_id in (shared, own):
        assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    await put(home, owner.actor, f"/collections/{made['collection_id']}", gate=listed(owner.wallet))
    assert (await decide(home, viewer.actor, shared)).outcome == "does_not_hold"
    for gate, outcome in (
        (listed(owner.wallet), "does_not_hold"),
        (listed(viewer.wallet), "holds"),
        (None, "does_not_hold"),
    ):
        await set_gate(home, owner.actor, own, gate)
        assert (await decide(home, viewer.actor, own)).outcome == outcome


async def test_wallets_that_are_linked_and_unlinked_here_count_at_once(home: House) -> None:
    owner, viewer, other = await creator(home), await person(home, "viewer"), Wallet.named("my other wallet")
    content_id = await content_of(home, owner.actor, listed(other))
    assert (await decide(home, viewer.actor, content_id)).outcome == "does_not_hold"
    async with home.client(viewer.actor) as me:
        asked = (await me.post(f"{WALLETS}/challenge", json={"address": other.address, "scheme": "siwe"})).json()
        assert (await me.post(WALLETS, json=answer_to(asked, other))).is_success
        assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
        assert (await me.delete(f"{WALLETS}/{other.address}")).status_code == 204
    assert (await decide(home, viewer.actor, content_id)).outcome == "does_not_hold"


async def test_what_is_changed_elsewhere_counts_within_the_second(home: House) -> None:
    owner, viewer = await creator(home), await person(home, "viewer")
    content_id = await content_of(home, owner.actor, listed(viewer.wallet))
    assert (await decide(home, viewer.actor, content_id)).outcome == "holds"
    db = home.plugins["auth"].db
    await db.write(lambda session: save_gate(session, content_id, None, by="another process", now_ms=0))
    changed_at_s = time.monotonic()

    async def refused() -> bool | None:
        outcome = (await decide(home, viewer.actor, content_id)).outcome
        return True if outcome == "does_not_hold" else None

    await eventually(refused)
    assert time.monotonic() - changed_at_s < KEPT_S + 1.0  # a busy machine's second


async def test_nobody_is_judged_by_a_gate_that_is_older_than_the_caller_has_heard_of(home: House) -> None:
    owner, viewer = await creator(home), await person(home, "viewer")
    content_id = await content_of(home, owner.actor, listed(viewer.wallet))
    db, auth = home.plugins["auth"].db, home.services.get(AUTH)
    query = DecideQuery(content_id=content_id, actor=viewer.actor)
    for revision in (2, 3):
        assert (await auth.decide(query)).outcome == "holds"  # and is kept
        gate = None if revision == 3 else listed(viewer.wallet)
        await db.write(lambda session, gate=gate: save_gate(session, content_id, gate, by="another", now_ms=0))
        decided = await auth.decide(attrs.evolve(query, min_revision=revision))
        assert (decided.outcome, decided.gate_revision) == ("holds" if gate else "does_not_hold", revision)
        answers = await auth.decide_many(DecideMany(queries=(query, attrs.evolve(query, min_revision=revision))))
        assert {each.gate_revision for each in answers.decisions} == {revision}
    ahead = await auth.decide(attrs.evolve(query, min_revision=4))  # which this process cannot read
    assert (ahead.outcome, ahead.gate_revision) == ("unknown", 4)


class Rows:
    """A database with nothing in it; `meanwhile` happens while it is read."""

    def __init__(self) -> None:
        self.reads = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def read(self, _: object) -> Any:
        self.reads += 1
        self.meanwhile()
        return {}, {}, {}


def forget_person(known: Known) -> None:
    known.forget_person("p_1")


@pytest.mark.parametrize("change", [Known.forget_gates, forget_person])
async def test_what_was_read_while_it_changed_is_not_kept(change: Callable[[Known], None]) -> None:
    rows = Rows()
    known = Known(cast(Database, rows), Compiled(cast(Kinds, None)), FakeClock())
    rows.meanwhile = lambda: change(known)
    found = await known.of(["c_1"], ["p_1"])
    assert (found.gates["c_1"].policy, found.wallets) == (PRIVATE, {"p_1": ()})
    rows.meanwhile = lambda: None
    for _ in range(3):
        await known.of(["c_1"], ["p_1"])
    assert rows.reads == 2


async def test_what_is_kept_is_forgotten_by_time_and_by_change() -> None:
    rows, clock = Rows(), FakeClock()
    known = Known(cast(Database, rows), Compiled(cast(Kinds, None)), clock)
    await known.of(["c_1"], ["p_1"])
    await clock.advance(KEPT_S)
    changes: tuple[Callable[[Known], object], ...] = (bool, Known.forget_gates, forget_person)
    for reads, change in enumerate(changes, start=2):
        change(known)
        for _ in range(2):
            await known.of(["c_1"], ["p_1"])
        assert rows.reads == reads
