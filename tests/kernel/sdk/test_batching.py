"""Work that is done together while other work is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from streamgate.context import CallContext, call_in_progress, use_call
from streamgate.errors import Unavailable
from streamgate.sdk.batching import Batched


class Work:
    """What was done, and is held up while the gate is shut."""

    def __init__(self) -> None:
        self.done: list[list[int]] = []
        self.may_go_on = asyncio.Event()
        self.bad: set[int] = set()

    async def __call__(self, items: Sequence[int]) -> None:
        self.done.append(list(items))
        await self.may_go_on.wait()
        if not self.bad.isdisjoint(items):
            raise ValueError(f"{sorted(self.bad.intersection(items))} cannot be done")


@pytest.fixture
def work() -> Work:
    return Work()


async def begun(batched: Batched[int], *items: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(batched.do(item)) for item in items]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_the_first_goes_at_once_and_what_comes_meanwhile_goes_together(work: Work) -> None:
    batched = Batched(work, most=3)
    first = await begun(batched, 1)
    others = await begun(batched, 2, 3, 4, 5)
    assert work.done == [[1]]
    assert not any(task.done() for task in (*first, *others))
    work.may_go_on.set()
    await asyncio.gather(*first, *others)
    assert work.done == [[1], [2, 3, 4], [5]]
    await batched.do(6)
    assert work.done[-1] == [6]


async def test_one_that_cannot_be_done_spoils_no_other(work: Work) -> None:
    batched = Batched(work, most=10)
    work.bad = {3}
    tasks = [*await begun(batched, 1), *await begun(batched, 2, 3, 4)]
    work.may_go_on.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), ValueError, type(None)]
    assert work.done == [[1], [2, 3, 4], [2], [3], [4]]


async def test_where_nothing_can_be_done_now_nothing_is_tried_one_by_one() -> None:
    """A database that is away would be waited for once for each."""
    tried: list[list[int]] = []

    async def fail(items: Sequence[int]) -> None:
        tried.append(list(items))
        await asyncio.sleep(0)
        raise Unavailable("away")

    batched = Batched(fail, most=10)
    outcomes = await asyncio.gather(*(batched.do(item) for item in (1, 2, 3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert tried == [[1, 2, 3]]


async def test_whoever_gives_up_holds_up_nobody(work: Work) -> None:
    batched = Batched(work, most=10)
    (first,), (second, third) = await begun(batched, 1), await begun(batched, 2, 3)
    for task in (first, second):
        task.cancel()
    work.may_go_on.set()
    await third
    assert work.done == [[1], [2, 3]]
    assert first.cancelled()
    assert second.cancelled()


async def test_it_is_nobodys_call() -> None:
    seen = []

    async def look(items: Sequence[int]) -> None:
        seen.append(call_in_progress())

    with use_call(CallContext(request_id="somebody")):
        await Batched(look, most=1).do(1)
    assert seen == [None]


async def test_after_a_turn_what_comes_gathers_for_a_moment(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    paused, may_go_on = asyncio.Event(), asyncio.Event()

    async def sleep(for_s: float) -> None:
        assert for_s == 0.05
        paused.set()
        await may_go_on.wait()

    batched, wait = Batched(work, most=10, pause_s=0.05), asyncio.sleep
    monkeypatch.setattr("streamgate.sdk.batching.asyncio.sleep", sleep)
    work.may_go_on.set()
    await batched.do(1)
    await paused.wait()
    late = [asyncio.create_task(batched.do(item)) for item in (2, 3)]
    for _ in range(3):
        await wait(0)
    assert work.done == [[1]]
    may_go_on.set()
    await asyncio.gather(*late)
    assert work.done == [[1], [2, 3]]
