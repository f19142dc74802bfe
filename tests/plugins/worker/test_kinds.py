"""Kinds that worker offers itself: garbage of lost leases, media made again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
import pytest

from streamgate.contracts.jobs import (
    JOBS,
    Cancel,
    Checkpoint,
    Complete,
    Fail,
    Kind,
    Lease,
    LeaseQuery,
    RegisterKinds,
    Release,
)
from streamgate.contracts.metadata import METADATA, NewContent
from streamgate.contracts.streaming import STREAMING, Streaming, Transcode, TranscodeStarted
from streamgate.sdk.blobs.disk import DiskStore
from streamgate.services import Offer
from streamgate.testing.house import House
from streamgate.testing.wait import eventually
from streamgate_worker import garbage
from streamgate_worker.kinds.collecting import Collected, CollectGarbage, Collecting
from streamgate_worker.sweeper import Sweeper
from tests.plugins.worker.people import ADMIN, CREATOR, OTHER, worker_house
from tests.plugins.worker.world import World

LATER_S = garbage.LOST_AFTER_MS / 1000 + 1


@attrs.define
class Run:
    """What a handler sees."""

    job_id: str = "j"
    lease_id: str = "l"
    attempt: int = 1
    owner: str = ""
    subject_id: str = ""
    blob_prefix: str = ""
    told: list[str] = attrs.field(factory=list)

    def report(self, progress: float, stage: str = "") -> None:
        self.told.append(stage)

    async def checkpoint(self, result: Any, progress: float) -> None:
        raise AssertionError("not asked")


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[DiskStore]:
    store = DiskStore(tmp_path / "blobs", reserve_bytes=0)
    units = store.units("worker")
    for unit in units:
        await unit.start()
    yield store
    for unit in units:
        await unit.stop()


async def keys(blobs: DiskStore) -> list[str]:
    return [stat.key async for stat in blobs.list()]


async def write(blobs: DiskStore, lease: Lease) -> str:
    key = f"{lease.blob_prefix}/out.m4s"
    await blobs.put_bytes(key, b"bytes")
    return key


async def collect(world: World, blobs: DiskStore, limit: int = 100) -> Collected:
    return await Collecting(world.db, blobs, world.clock).collect(CollectGarbage(limit=limit), Run())


async def lost(world: World, lease: Lease) -> None:
    world.clock.jump(31)
    await world.service.sweep(10)


async def failed(world: World, lease: Lease) -> None:
    told = Fail(lease_id=lease.lease_id, job_id=lease.job_id, code="a.b", detail="c", retryable=False)
    await world.service.fail(told)


async def cancelled(world: World, lease: Lease) -> None:
    await world.service.cancel(Cancel(job_id=lease.job_id))


async def released(world: World, lease: Lease) -> None:
    await world.service.release(Release(lease_id=lease.lease_id, job_id=lease.job_id))


@pytest.mark.parametrize("end", [lost, failed, cancelled, released])
async def test_what_an_attempt_left_goes_when_it_came_to_nothing(world: World, blobs: DiskStore, end: Any) -> None:
    await world.add("k", subject_id="c_1")
    lease = await world.must_lease()
    key = await write(blobs, lease)
    await end(world, lease)
    assert await collect(world, blobs) == Collected(prefixes=0, objects=0, left=1)  # it may write on for a while
    assert await keys(blobs) == [key]
    world.clock.jump(LATER_S)
    assert await collect(world, blobs) == Collected(prefixes=1, objects=1, left=0)
    assert await keys(blobs) == []


async def test_what_counts_stays(world: World, blobs: DiskStore) -> None:
    """Of a job that is done, and of an attempt that was lost after it had told of something."""
    await world.add("done")
    done = await world.must_lease()
    await world.service.complete(Complete(lease_id=done.lease_id, job_id=done.job_id, result={}))
    await world.add("told")
    told = await world.must_lease()
    checkpoint = Checkpoint(lease_id=told.lease_id, job_id=told.job_id, result={}, progress=0.5)
    await world.service.checkpoint(checkpoint)
    await lost(world, told)
    again = await world.must_lease()
    await lost(world, again)
    kept = [await write(blobs, lease) for lease in (done, told)]
    await write(blobs, again)
    world.clock.jump(LATER_S)
    assert (await collect(world, blobs)).objects == 1
    assert sorted(await keys(blobs)) == sorted(kept)


async def test_at_most_so_many_at_a_time(world: World, blobs: DiskStore) -> None:
    for number in range(3):
        await world.add(f"k{number}")
        await cancelled(world, await world.must_lease())
    world.clock.jump(LATER_S)
    assert (await collect(world, blobs, limit=2)).left == 1
    assert (await collect(world, blobs, limit=2)).left == 0


async def test_it_is_ordered_once_an_hour_where_there_is_some(world: World) -> None:
    sweeper = Sweeper(world.service, world.db, world.clock, every_s=60)
    kind = Kind(name="blob.collect_garbage", summary="", payload_schema={})
    await world.service.register_kinds(RegisterKinds(kinds=(kind,), plugin="worker"))
    await world.add("k")
    await cancelled(world, await world.must_lease())
    await sweeper.order_collecting()
    assert await world.lease("blob.collect_garbage") is None
    world.clock.jump(LATER_S)
    await sweeper.order_collecting()
    await sweeper.order_collecting()
    lease = await world.must_lease("blob.collect_garbage")
    assert lease.payload == {}
    assert await world.lease("blob.collect_garbage") is None


# --- over HTTP, by worker's own runner ---------------------------------------------------------------------


class FakeStreaming:
    def __init__(self) -> None:
        self.wanted: list[Transcode] = []

    def __getattr__(self, name: str) -> Any:
        """The rest of the service, which nobody asks here."""
        if name.startswith("_"):
            raise AttributeError(name)
        return pytest.fail

    async def transcode(self, wanted: Transcode) -> TranscodeStarted:
        self.wanted.append(wanted)
        return TranscodeStarted(task_id="t_1")


@asynccontextmanager
async def whole(folder: Path, streaming: FakeStreaming) -> AsyncIterator[House]:
    async with worker_house(
        folder, names=["metadata", "worker"], offers=[Offer(STREAMING, cast(Streaming, streaming))]
    ) as home:

        async def registered() -> bool | None:
            async with home.client(ADMIN) as client:
                names = [kind["name"] for kind in (await client.get("/api/v1/jobs/kinds")).json()["items"]]
            return True if {"content.retranscode", "blob.collect_garbage"} <= set(names) else None

        await eventually(registered, every_s=0.01)
        yield home


async def submit(client: httpx.AsyncClient, kind: str, **payload: Any) -> httpx.Response:
    return await client.post("/api/v1/jobs/submit", json={"kind": kind, "payload": payload})


async def result_of(client: httpx.AsyncClient, answer: httpx.Response) -> Any:
    async def over() -> Any:
        found = (await client.get("/api/v1/jobs/status", params={"job_id": answer.json()["job_id"]})).json()
        return found if found["finished_at"] else None

    found = await eventually(over, every_s=0.02)
    assert found["status"] == "done", found
    return found["result"]


async def test_media_is_made_again_for_who_may(tmp_path: Path) -> None:
    streaming = FakeStreaming()
    async with whole(tmp_path, streaming) as home:
        content = await home.services.get(METADATA).create(NewContent(actor=CREATOR, title="Mine"))
        async with home.client(CREATOR) as client:
            answer = await submit(client, "content.retranscode", content_id=content.content_id, profile="web")
            assert await result_of(client, answer) == {"task_id": "t_1"}
            (wanted,) = streaming.wanted
            assert (wanted.content_id, wanted.profile, wanted.actor.user_id) == (content.content_id, "web", "u_creator")
            schedule = {"name": "again", "cron": "@weekly", "kind": "content.retranscode"}
            unknown = await client.post("/api/v1/jobs/schedule", json={**schedule, "payload": {"content_id": "c_2"}})
            assert (unknown.status_code, unknown.json()["code"]) == (404, "content.not_found")
            mine = {"content_id": content.content_id}
            kept = await client.post("/api/v1/jobs/schedule", json={**schedule, "payload": mine})
            assert kept.status_code == 200
        async with home.client(OTHER) as client:
            answer = await submit(client, "content.retranscode", content_id=content.content_id)
            assert (answer.status_code, answer.json()["code"]) == (404, "content.not_found")
    assert len(streaming.wanted) == 1


async def test_garbage_is_collected_for_administrators(tmp_path: Path) -> None:
    async with whole(tmp_path, FakeStreaming()) as home:
        async with home.client(CREATOR) as client:
            assert (await submit(client, "blob.collect_garbage")).status_code == 403
        async with home.client(ADMIN) as client:
            answer = await submit(client, "blob.collect_garbage", limit=10)
            assert await result_of(client, answer) == {"prefixes": 0, "objects": 0, "left": 0}
            assert (await submit(client, "blob.collect_garbage", limit=0)).status_code == 422
        leased = await home.services.get(JOBS).lease(LeaseQuery(kinds=("blob.collect_garbage",), runner="r"))
        assert leased.lease is None
