"""Who is leased next: nobody's many jobs hold up another one's few."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import TextClause, insert, text
from sqlalchemy.dialects import sqlite

from streamgate.contracts.jobs import Complete, Enqueue, Lease, NewJob
from streamgate.sdk.ids import uuid7
from streamgate.testing.attacks import attack
from streamgate_worker import picking, repository
from streamgate_worker.tables import jobs
from tests.plugins.worker.world import World


async def fill(world: World, owner: str, count: int, **values: object) -> None:
    """Straight into the table: what counts here is how they are taken out."""
    now_ms = world.clock.now_ms()
    shape = {"kind": "media.probe", "payload": {}, "owner": owner, **values}
    rows = [
        repository.new_row(NewJob(**shape, idempotency_key=uuid7()), now_ms)  # type: ignore[arg-type]
        for _ in range(count)
    ]

    def work(session: object) -> None:
        for start in range(0, count, 1_000):
            session.execute(insert(jobs), rows[start : start + 1_000])  # type: ignore[attr-defined]

    await world.db.write(work)


async def end(world: World, lease: Lease) -> None:
    await world.service.complete(Complete(lease_id=lease.lease_id, job_id=lease.job_id, result={}))


@attack("B39")
async def test_one_job_does_not_wait_for_ten_thousand(world: World) -> None:
    await fill(world, "u_many", 10_000)
    running = [await world.must_lease() for _ in range(3)]
    world.clock.jump(10)
    await world.add("one", owner="u_one")
    await end(world, running.pop())
    assert (await world.must_lease()).owner == "u_one"


async def test_owners_take_turns_by_what_runs(world: World) -> None:
    for owner, count in (("u_a", 40), ("u_b", 20), ("u_c", 3)):
        await fill(world, owner, count)
    leased = Counter([(await world.must_lease()).owner for _ in range(9)])
    assert leased == {"u_a": 3, "u_b": 3, "u_c": 3}
    assert Counter([(await world.must_lease()).owner for _ in range(6)]) == {"u_a": 3, "u_b": 3}


async def test_what_runs_counts_whatever_its_kind(world: World) -> None:
    await fill(world, "u_a", 2, kind="media.chunk")
    await world.must_lease("media.chunk")
    await fill(world, "u_a", 1)
    await fill(world, "u_b", 2)
    assert [(await world.must_lease("media.probe")).owner for _ in range(2)] == ["u_b", "u_a"]


async def test_what_somebody_waits_for_goes_first(world: World) -> None:
    await fill(world, "u_a", 5)
    first = await world.must_lease()
    await fill(world, "u_b", 5)
    await world.add("urgent", owner="u_a", priority=1)
    await world.add("more urgent", owner="u_a", priority=0)
    await world.add("nearly", owner="u_a", priority=2)
    assert first.owner == "u_a"
    got = [await world.must_lease() for _ in range(3)]
    assert [lease.owner for lease in got] == ["u_a", "u_a", "u_b"]


async def test_priority_then_age_among_equals_and_within_an_owner(world: World) -> None:
    await world.add("late", owner="u_a", priority=7)
    world.clock.jump(1)
    await world.add("b", owner="u_b", priority=5, job_id="b")
    await world.add("a", owner="u_a", priority=3, job_id="a")
    world.clock.jump(1)
    await world.add("c", owner="u_c", priority=5, job_id="c")
    assert [(await world.must_lease()).job_id for _ in range(3)] == ["a", "b", "c"]


async def test_more_owners_than_one_look_sees(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picking, "HEADS_MAX", 3)
    for number in range(8):
        await fill(world, f"u_{number}", 2)
    owners = Counter([(await world.must_lease()).owner for _ in range(16)])
    assert set(owners.values()) == {2}
    assert len(owners) == 8
    assert await world.lease() is None


async def test_what_rests_does_not_stand_in_the_way(world: World) -> None:
    await fill(world, "u_a", 3_000, run_at_ms=world.clock.now_ms() + 60_000)
    await world.add("now", owner="u_a", priority=9)
    assert (await world.must_lease()).owner == "u_a"
    assert await world.lease() is None
    world.clock.jump(61)
    leased = [await world.must_lease() for _ in range(3)]
    assert len({lease.job_id for lease in leased}) == 3


async def rows_of(world: World, asked: TextClause) -> Sequence[Any]:
    return await world.db.read(lambda session: session.execute(asked).all())


async def test_leasing_among_fifty_thousand_costs_what_it_costs_among_fifty(world: World) -> None:
    """By the work the database does, which no busy machine changes: every look is an index's."""
    for number in range(50):
        await fill(world, f"u_{number:02}", 1_000)
    world.clock.jump(1)
    is_sqlite = await world.db.read(lambda session: session.get_bind().dialect.name == "sqlite")
    for statement in (picking.heads_statement("media.probe", None), picking.urgent_statement(["media.probe", "x"])):
        asked = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        if is_sqlite:
            explain = text(f"EXPLAIN QUERY PLAN {asked}")
            rows = await rows_of(world, explain)
            looks = [row.detail for row in rows if "worker_jobs" in row.detail]
            assert looks
            assert all("_ready" in look or "_urgent" in look or "job_id=?" in look for look in looks), looks
        else:
            await world.db.write(lambda session: session.execute(text("ANALYZE worker_jobs")))
            explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked.replace('LIMIT 1 OFFSET 0', 'LIMIT 1')}")
            rows = await rows_of(world, explain)
            plan = rows[0][0][0]["Plan"]
            assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 2_500, plan
    assert (await world.must_lease()).attempt == 1


async def test_batch_of_one_owner_is_leased_by_age(world: World) -> None:
    batch = tuple(NewJob(kind="media.probe", payload={}, idempotency_key=f"k{n}", job_id=f"j{n}") for n in range(5))
    await world.service.enqueue(Enqueue(jobs=batch))
    assert [(await world.must_lease()).job_id for _ in range(5)] == [f"j{n}" for n in range(5)]
