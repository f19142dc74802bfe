"""The small parts of worker."""

from __future__ import annotations

import asyncio
import base64
import random
from pathlib import Path

import pytest

from streamgate.contracts.jobs import Job, JobState
from streamgate.errors import Invalid
from streamgate.testing.clock import FakeClock
from streamgate.testing.context import running
from streamgate.testing.migrations import differences
from streamgate_worker.backoff import pause_ms
from streamgate_worker.config import WorkerConfig
from streamgate_worker.cursor import read_cursor, write_cursor
from streamgate_worker.plugin import PLUGIN
from streamgate_worker.rows import blob_prefix, to_task
from streamgate_worker.sweeper import Sweeper
from tests.plugins.worker.world import World, running_worker


async def test_migrations_make_the_tables() -> None:
    assert await differences("streamgate_worker") == []


async def test_migrations_make_the_tables_on_postgresql(postgres_url: str) -> None:
    assert await differences("streamgate_worker", postgres_url) == []


def test_pauses_double_to_their_limit_and_vary_by_half() -> None:
    rng = random.Random(1)
    for attempts, whole_ms in ((1, 2_000), (2, 4_000), (5, 32_000), (9, 60_000), (10_000, 60_000)):
        found = [pause_ms(attempts, base_s=2, max_s=60, rng=rng) for _ in range(50)]
        assert whole_ms / 2 <= min(found) < max(found) <= whole_ms


def encoded(place: str) -> str:
    return base64.urlsafe_b64encode(place.encode()).decode()


def test_cursor_comes_back() -> None:
    assert read_cursor(write_cursor(123, "a:b")) == (123, "a:b")
    assert read_cursor("") is None


@pytest.mark.parametrize(
    "text", ["x", "é", "bm9jb2xvbg", encoded(f"{10**18}:x"), encoded("-1:x"), encoded("1:a\0b"), encoded("٣:x")]
)
def test_cursor_that_no_row_could_have_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_cursor(text)
    assert [error.field for error in refused.value.errors] == ["cursor"]


@pytest.mark.parametrize(("subject", "word"), [("c_1", "c_1"), ("", "_"), ("../x", "_"), ("a/b", "a_b")])
def test_outputs_of_a_lease_are_apart(subject: str, word: str) -> None:
    assert blob_prefix(subject, "j", "l") == f"jobs/{word}/j/l"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["done", "done"], "done"),
        (["done", "queued"], "queued"),
        (["done", "scheduled"], "scheduled"),
        (["running", "queued"], "running"),
        (["running", "dead"], "dead"),
        (["failed", "dead"], "failed"),
        (["failed", "cancelled", "running"], "cancelled"),
    ],
)
def test_status_of_a_task(states: list[JobState], expected: str) -> None:
    def job(number: int, status: JobState) -> Job:
        return Job(
            job_id=str(number),
            root_id="0",
            kind="k",
            status=status,
            owner="",
            subject_id="",
            progress=0.0,
            stage="",
            attempts=0,
            max_attempts=3,
        )

    root, *children = [job(number, status) for number, status in enumerate(states)]
    assert to_task(root, children).status == expected


async def test_sweeper_takes_back_leases_as_time_goes_by(migrated_sqlite: Path, tmp_path: Path) -> None:
    path = tmp_path / "streamgate.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    clock = FakeClock()
    async with (
        running_worker(f"sqlite:///{path}", tmp_path, clock, WorkerConfig()) as world,
        running(Sweeper(world.service, world.db, clock, every_s=2)),
    ):
        await world.add("k", max_attempts=1)
        await world.must_lease()
        await until_asleep(world)
        for _ in range(17):
            await clock.advance(2)
            await until_asleep(world)
        (event,) = await world.until_finished(1)
    assert event.status == "dead"


async def until_asleep(world: World) -> None:
    while world.clock.sleepers == 0:
        await asyncio.sleep(0.001)


def test_description_loads_no_driver() -> None:
    assert (PLUGIN.name, PLUGIN.port, PLUGIN.prefixes, PLUGIN.uses_database) == (
        "worker",
        9008,
        ("/api/v1/jobs",),
        True,
    )
