"""Jobs through the HTTP application (in process: routes, policy, service, database; no socket) on both databases, one
at a time, beside the bare statement that the row takes: sqlite3 (WAL, synchronous=FULL) in a thread, asyncpg on one
connection (the PostgreSQL of tests does not fsync, for either). Leasing with 50,000 jobs of 50 owners, beside leasing
with 200. Milliseconds a call."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]
import httpx
import orjson
from sqlalchemy import insert
from sqlalchemy.orm import Session

from streamgate.context import Actor
from streamgate.contracts.jobs import JOBS, Kind, LeaseQuery, NewJob, RegisterKinds
from streamgate.sdk.ids import uuid7
from streamgate.settings import DatabaseSettings, KernelSettings, Secret
from streamgate.testing.house import House, house
from streamgate.testing.servers import PostgresServer
from streamgate_worker.config import WorkerConfig
from streamgate_worker.repository import new_row
from streamgate_worker.tables import jobs
from tests.bench.figures import Figure, Row
from tests.bench.load import timed

CALLS = 300
PEER_CALLS = 300
OWNERS, JOBS_EACH = 50, 1_000
LEASES = 200
ADMIN = Actor(kind="user", user_id="u_bench", roles=("admin",))
KIND = "bench.work"
PAYLOAD = {"url": "https://example.org", "event": "order.paid", "body": {"order": 7}}
TABLE = "CREATE TABLE bench (id TEXT PRIMARY KEY, payload TEXT NOT NULL, status TEXT NOT NULL)"


@asynccontextmanager
async def _worker(folder: Path, url: str) -> AsyncIterator[House]:
    settings = KernelSettings(profile="test", data_dir=folder, database=DatabaseSettings(url=Secret(url)))
    configs = {"worker": WorkerConfig(max_waiting_per_owner=1_000_000, sweep_every_s=60)}
    async with house(folder, ["worker"], configs=configs, settings=settings) as home:
        kind = Kind(name=KIND, summary="", payload_schema={"type": "object"})
        await home.services.get(JOBS).register_kinds(RegisterKinds(kinds=(kind,), plugin="bench"))
        yield home


async def _http(client: httpx.AsyncClient) -> dict[str, tuple[float, ...]]:
    ids: list[str] = []

    async def submit() -> None:
        answer = await client.post("/api/v1/jobs/submit", json={"kind": KIND, "payload": PAYLOAD})
        ids.append(answer.raise_for_status().json()["job_id"])

    async def status() -> None:
        (await client.get("/api/v1/jobs/status", params={"job_id": ids[-1]})).raise_for_status()

    async def schedule() -> None:
        wanted = {"name": "bench", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "kind": KIND, "payload": PAYLOAD}
        (await client.post("/api/v1/jobs/schedule", json=wanted)).raise_for_status()

    await timed(submit, 20)
    return {
        "submit": await timed(submit, CALLS),
        "status": await timed(status, CALLS),
        "schedule": await timed(schedule, CALLS),
    }


async def _leases(home: House, count: int) -> tuple[float, ...]:
    service = home.services.get(JOBS)
    query = LeaseQuery(kinds=(KIND,), runner="bench")
    return await timed(lambda: service.lease(query), count)


async def _fill(home: House, each: int) -> None:
    now_ms = time.time_ns() // 1_000_000
    for number in range(OWNERS):
        owner = f"u_{number:02}"
        rows = [
            new_row(NewJob(kind=KIND, payload=PAYLOAD, idempotency_key=uuid7(), owner=owner), now_ms)
            for _ in range(each)
        ]
        await home.plugins["worker"].db.write(partial(_insert, rows=rows))


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    session.execute(insert(jobs), rows)


async def _measured(folder: Path, url: str) -> dict[str, tuple[float, ...]]:
    async with _worker(folder, url) as home:
        async with home.client(ADMIN) as client:
            found = await _http(client)
        await _leases(home, CALLS + 100)  # takes all that was submitted
        await _fill(home, LEASES // OWNERS)
        found["few"] = await _leases(home, LEASES)
        await _fill(home, JOBS_EACH)
        found["many"] = await _leases(home, LEASES)
        return found


async def _sqlite_peer(folder: Path) -> dict[str, tuple[float, ...]]:
    connection = sqlite3.connect(folder / "peer.db", isolation_level=None, check_same_thread=False)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
        connection.execute(statement)
    ids: list[str] = []

    def write() -> None:
        ids.append(uuid7())
        values = (ids[-1], orjson.dumps(PAYLOAD).decode(), "queued")
        connection.execute("INSERT INTO bench VALUES (?, ?, ?)", values)

    def read() -> Any:
        return connection.execute("SELECT * FROM bench WHERE id = ?", (ids[-1],)).fetchone()

    found = {
        "submit": await timed(lambda: asyncio.to_thread(write), PEER_CALLS),
        "status": await timed(lambda: asyncio.to_thread(read), PEER_CALLS),
    }
    connection.close()
    return found


async def _postgres_peer(url: str) -> dict[str, tuple[float, ...]]:
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    ids: list[str] = []

    async def write() -> None:
        ids.append(uuid7())
        values = (ids[-1], orjson.dumps(PAYLOAD).decode(), "queued")
        await connection.execute("INSERT INTO bench VALUES ($1, $2, $3)", *values)

    async def read() -> None:
        await connection.fetchrow("SELECT * FROM bench WHERE id = $1", ids[-1])

    found = {"submit": await timed(write, PEER_CALLS), "status": await timed(read, PEER_CALLS)}
    await connection.close()
    return found


def _figures(
    where: str, ours: dict[str, tuple[float, ...]], peer: dict[str, tuple[float, ...]], driver: str
) -> list[Row]:
    asked: tuple[tuple[str, str, str, float, Literal["p50", "p99"]], ...] = (
        ("submit", "submit", "INSERT", 10, "p99"),
        ("status", "status", "SELECT", 5, "p50"),
        ("schedule", "submit", "INSERT", 50, "p50"),
    )
    rows: list[Row] = [
        Figure(
            name=f"job {what}, {where}",
            unit="ms",
            ours=ours[what],
            peer=peer[beside],
            peer_name=f"{driver} {statement}",
            limit=limit,
            limit_of=limit_of,
        )
        for what, beside, statement, limit, limit_of in asked
    ]
    name, beside = f"job lease, {where}, of {OWNERS * JOBS_EACH:,} jobs", f"of {LEASES} jobs"
    return [*rows, Figure(name=name, unit="ms", ours=ours["many"], peer=ours["few"], peer_name=beside)]


def measure(folder: Path) -> list[Row]:
    sqlite_folder, postgres_folder = folder / "sqlite", folder / "postgres"
    for each in (sqlite_folder, postgres_folder):
        each.mkdir()
    ours = asyncio.run(_measured(sqlite_folder, ""))
    rows = _figures("SQLite", ours, asyncio.run(_sqlite_peer(sqlite_folder)), "sqlite3")
    with PostgresServer() as server:
        url = server.create_database()
        ours = asyncio.run(_measured(postgres_folder, url))
        rows += _figures("PostgreSQL", ours, asyncio.run(_postgres_peer(url)), "asyncpg")
    return rows
