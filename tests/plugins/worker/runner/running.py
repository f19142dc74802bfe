"""Kinds of jobs made for these tests, and runners that offer them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.contracts.jobs import (
    JobQuery,
)
from streamgate.hooks import Hooks, hookimpl
from streamgate.plugins import discover_specs
from streamgate.sdk.clock import Clock
from streamgate.sdk.jobs import Runner
from streamgate.services import Services
from streamgate.testing.clock import settle
from streamgate.testing.context import plugin_context
from streamgate.testing.wait import eventually
from tests.plugins.worker.world import World


@attrs.frozen(kw_only=True)
class Payload:
    n: int
    name: str = ""


@attrs.frozen(kw_only=True)
class Result:
    said: str


Handler = Callable[[Payload, JobRun], Awaitable[Any]]


class Offering:
    """A plugin that offers kinds."""

    def __init__(self, kinds: Sequence[JobKind]) -> None:
        self._kinds = kinds

    @hookimpl
    def collect_job_kinds(self) -> Sequence[JobKind]:
        return self._kinds


def kind(handler: Handler, *, name: str = "test.work", concurrency: int = 1) -> JobKind:
    return JobKind(
        name=name, summary="Works.", payload=Payload, result=Result, handler=handler, concurrency=concurrency
    )


def make_runner(
    world: World,
    tmp_path: Path,
    *kinds: JobKind,
    clock: Clock | None = None,
    services: Services | None = None,
    drain_s: float = 8.0,
) -> Runner:
    hooks = Hooks()
    hooks.add_specs(discover_specs())
    hooks.register("media", Offering(kinds), required=True)
    ctx = plugin_context("media", data_dir=tmp_path, bus=world.bus, services=services or world.services, hooks=hooks)
    return Runner(ctx, clock=clock or world.clock, drain_s=drain_s)


async def until_registered(world: World, name: str = "test.work") -> None:
    await eventually(lambda: world.service.find_kind(name), every_s=0.005)


async def add(world: World, key: str = "k", **values: Any) -> str:
    await until_registered(world, values.get("kind", "test.work"))
    return await world.add(key, **{"kind": "test.work", "job_id": key, **values})


async def until_status(world: World, job_id: str, *wanted: str) -> str:
    async def probe() -> str | None:
        status = (await world.service.get(JobQuery(job_id=job_id))).status
        return status if status in wanted else None

    return await eventually(probe, every_s=0.005, what=f"{job_id} to be {wanted}")


async def under_way(said: asyncio.Event) -> None:
    """The handler has got there, and its heartbeat sleeps."""
    await said.wait()
    await settle()
