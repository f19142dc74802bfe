"""Units: things with a start and a stop, in dependency order, rolled back when one fails."""

from __future__ import annotations

import asyncio
import graphlib
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, runtime_checkable

import attrs
from loguru import logger


@runtime_checkable
class Unit(Protocol):
    """`start` returns when the unit is ready; `stop` returns when it holds nothing any more. A `start` that raises
    has let go of what it held: its `stop` is not called.

    `name` is unique in the process (`upload.sweeper`); `needs` names units that must start before and
    stop after this one (names that are not in this process are ignored: they live elsewhere).
    """

    @property
    def name(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


async def _nothing() -> None:
    return None


@attrs.define
class SimpleUnit:
    """A unit from two functions."""

    name: str
    on_start: Callable[[], Awaitable[None]] = _nothing
    on_stop: Callable[[], Awaitable[None]] = _nothing
    needs: tuple[str, ...] = ()

    async def start(self) -> None:
        await self.on_start()

    async def stop(self) -> None:
        await self.on_stop()


class StartFailed(Exception):
    """A unit did not start; those started before it have been stopped again."""

    def __init__(self, unit: str, cause: BaseException) -> None:
        super().__init__(f"{unit} did not start: {cause}")
        self.unit = unit


class Lifecycle:
    """Starts units one after another in dependency order and stops them in reverse.

    `add` may be called several times: each call is a phase, wholly started before the next one begins.
    """

    def __init__(self) -> None:
        self._phases: list[dict[str, Unit]] = []
        self._running: list[Unit] = []
        self._optional: set[str] = set()
        self.failed: dict[str, Exception] = {}  # optional units that did not start

    def add(self, units: Iterable[Unit], *, optional: Iterable[str] = ()) -> None:
        """`optional`: names of units without which the others run all the same."""
        self._optional.update(optional)
        phase: dict[str, Unit] = {}
        for unit in units:
            if any(unit.name in earlier for earlier in (*self._phases, phase)):
                raise ValueError(f"two units are named {unit.name!r}")
            phase[unit.name] = unit
        self._phases.append(phase)

    def order(self) -> list[Unit]:
        """Phase by phase, dependencies first.

        Raises:
            ValueError: a cycle, with its members named; a unit that needs one of a later phase.
        """
        ordered: list[Unit] = []
        for number, phase in enumerate(self._phases):
            later = {name for following in self._phases[number + 1 :] for name in following}
            for unit in phase.values():
                if late := later.intersection(unit.needs):
                    raise ValueError(f"{unit.name} needs {', '.join(sorted(late))}, which starts in a later phase")
            sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
            for unit in phase.values():
                sorter.add(unit.name, *(need for need in unit.needs if need in phase))
            try:
                ordered.extend(phase[name] for name in sorter.static_order())
            except graphlib.CycleError as fault:
                raise ValueError(f"units wait for each other: {' → '.join(fault.args[1])}") from fault
        return ordered

    async def start(self) -> None:
        for unit in self.order():
            try:
                await unit.start()
            except BaseException as fault:
                logger.bind(unit=unit.name, error=repr(fault)).error("unit did not start")
                if unit.name in self._optional and isinstance(fault, Exception):
                    self.failed[unit.name] = fault
                    continue
                await self.stop()
                if not isinstance(fault, Exception):  # cancelled, interrupted
                    raise
                raise StartFailed(unit.name, fault) from fault
            self._running.append(unit)

    async def stop(self, *, deadline_s: float = 30.0) -> list[str]:
        """Stops what runs, last started first. A unit that fails to stop, or is not done when the whole
        deadline has passed, is logged and left; the names of those are returned. When cancelled, what has not
        been stopped yet still counts as running: call it again."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + deadline_s
        stuck: list[str] = []
        while self._running:
            unit = self._running.pop()
            timer = asyncio.timeout(max(0.1, ends_at - loop.time()))
            try:
                async with timer:
                    await unit.stop()
            except Exception:
                stuck.append(unit.name)
                if timer.expired():
                    logger.bind(unit=unit.name).warning("unit did not stop in time")
                else:
                    logger.bind(unit=unit.name).exception("unit failed to stop")
        return stuck
