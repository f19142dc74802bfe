"""Units start in dependency order, stop in reverse, and a failed start leaves nothing running."""

from __future__ import annotations

import asyncio
import time

import pytest

from streamgate.lifecycle import Lifecycle, SimpleUnit, StartFailed, Unit


@pytest.fixture
def trail() -> list[str]:
    return []


def unit(trail: list[str], name: str, *needs: str, start: BaseException | None = None, stop: object = None) -> Unit:
    """Notes its start and stop in `trail`; `start` is raised, `stop` is raised or (a number) slept."""

    async def on_start() -> None:
        trail.append(f"+{name}")
        if start is not None:
            raise start

    async def on_stop() -> None:
        if isinstance(stop, float):
            await asyncio.sleep(stop)
        trail.append(f"-{name}")
        if isinstance(stop, BaseException):
            raise stop

    return SimpleUnit(name, on_start, on_stop, needs)


async def test_dependencies_start_first_and_stop_last(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "web", "service"), unit(trail, "service", "database"), unit(trail, "database")])

    await lifecycle.start()
    assert await lifecycle.stop() == []

    assert trail == ["+database", "+service", "+web", "-web", "-service", "-database"]


async def test_a_phase_starts_wholly_before_the_next(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "bus")])
    lifecycle.add([unit(trail, "b", "a"), unit(trail, "a", "bus")])
    lifecycle.add([unit(trail, "server")])

    await lifecycle.start()

    assert trail == ["+bus", "+a", "+b", "+server"]


async def test_a_need_that_lives_in_another_process_is_ignored(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "web", "elsewhere.unit")])

    await lifecycle.start()

    assert trail == ["+web"]


def test_a_need_of_a_later_phase_is_a_fault(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "early", "late")])
    lifecycle.add([unit(trail, "late")])

    with pytest.raises(ValueError, match="early needs late"):
        lifecycle.order()


def test_a_cycle_is_named(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a", "b"), unit(trail, "b", "c"), unit(trail, "c", "a")])

    with pytest.raises(ValueError, match=r"[abc] → [abc] → [abc] → [abc]"):
        lifecycle.order()


@pytest.mark.parametrize("is_same_phase", [True, False])
def test_two_units_of_one_name_are_a_fault(trail: list[str], is_same_phase: bool) -> None:
    lifecycle = Lifecycle()
    units = [unit(trail, "same")]
    if not is_same_phase:
        lifecycle.add(units)

    with pytest.raises(ValueError, match="same"):
        lifecycle.add([*units, unit(trail, "same")])


async def test_a_failed_start_stops_what_ran_and_nothing_else(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    cause = RuntimeError("no disk")
    lifecycle.add(
        [unit(trail, "a"), unit(trail, "b", "a"), unit(trail, "bad", "b", start=cause), unit(trail, "z", "bad")]
    )

    with pytest.raises(StartFailed, match="bad did not start: no disk") as raised:
        await lifecycle.start()

    assert (raised.value.unit, raised.value.__cause__) == ("bad", cause)
    assert trail == ["+a", "+b", "+bad", "-b", "-a"]
    assert await lifecycle.stop() == []
    assert len(trail) == 5


async def test_a_cancelled_start_rolls_back_and_stays_cancelled(trail: list[str]) -> None:
    began = asyncio.Event()

    async def hang() -> None:
        began.set()
        await asyncio.Event().wait()

    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), SimpleUnit("slow", hang, needs=("a",))])
    starting = asyncio.create_task(lifecycle.start())
    await began.wait()
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert trail == ["+a", "-a"]


async def test_an_interrupt_is_not_taken_for_a_fault_of_the_unit(trail: list[str]) -> None:
    class Interrupt(BaseException):
        """As KeyboardInterrupt, which the test run itself would take."""

    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), unit(trail, "b", "a", start=Interrupt())])

    with pytest.raises(Interrupt):
        await lifecycle.start()
    assert trail == ["+a", "+b", "-a"]


async def test_a_unit_that_fails_to_stop_is_named_and_the_rest_stop(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), unit(trail, "b", "a", stop=RuntimeError("stuck")), unit(trail, "c", "b")])
    await lifecycle.start()
    trail.clear()

    assert await lifecycle.stop() == ["b"]

    assert trail == ["-c", "-b", "-a"]


async def test_a_time_out_of_the_units_own_is_its_failure(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), unit(trail, "b", "a", stop=TimeoutError("of its own"))])
    await lifecycle.start()

    assert await lifecycle.stop() == ["b"]
    assert trail[-2:] == ["-b", "-a"]


async def test_a_unit_that_does_not_stop_in_time_is_left(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), unit(trail, "hangs", "a", stop=3600.0), unit(trail, "c", "hangs")])
    await lifecycle.start()
    began = time.monotonic()

    assert await lifecycle.stop(deadline_s=0.05) == ["hangs"]

    assert time.monotonic() - began < 5
    assert trail[3:] == ["-c", "-a"]


async def test_a_cancelled_stop_can_be_taken_up_again(trail: list[str]) -> None:
    lifecycle = Lifecycle()
    lifecycle.add([unit(trail, "a"), unit(trail, "hangs", "a", stop=3600.0)])
    await lifecycle.start()
    stopping = asyncio.create_task(lifecycle.stop())
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping

    assert await lifecycle.stop() == []
    assert trail[2:] == ["-a"]
