"""What operators ask. Milliseconds, one at a time:

- health and metrics over HTTP of one `--all` process on uvicorn, as an admin, by turns with bare Starlette on the same
  server answering a small JSON (health) and with the same process' own Prometheus text at `/metrics` (metrics);
- one look at 100 alert rules over 18,000 numbers in this process on SQLite, where at each look one alert fires or is
  over and is written; by turns with the two bare SELECTs that a look begins with.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from pathlib import Path

from streamgate.bus.memory import MemoryBus
from streamgate.contracts.metrics import MetricsSnapshot, Sample
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.db import Database
from streamgate.sdk.lease import Leader, Leadership
from streamgate.testing.context import bus_unit, plugin_context
from streamgate.testing.context import running as units_running
from streamgate.testing.wallets import Wallet
from streamgate_monitor.alert_repository import StoredRule, put_rule
from streamgate_monitor.alerting import Alerting
from streamgate_monitor.numbers import Numbers
from streamgate_monitor.rules import Rule
from streamgate_monitor.tables import TABLES, leaders
from tests.bench.figures import Figure, Row
from tests.bench.load import connected, timed_by_turns
from tests.bench.processes import UNLIMITED, bare, person, running

CALLS = 200
LOOKS = 60
RULES = 100
SERVICES = 9
SERIES = 2_000
DATABASE = "telemetry.db"

Two = tuple[tuple[float, ...], tuple[float, ...]]


async def _over_http(port: int, peer_port: int, headers: dict[str, str]) -> tuple[Two, Two]:
    async with connected(port) as ours, connected(peer_port) as peer:

        async def get(target: str) -> None:
            await ours.ask("GET", target, headers=headers)

        health = await timed_by_turns(lambda: get("/api/v1/monitor/health"), lambda: peer.ask("GET", "/health"), CALLS)
        metrics = await timed_by_turns(lambda: get("/api/v1/monitor/metrics"), lambda: get("/metrics"), CALLS)
    return health, metrics


def _asked(folder: Path) -> list[Row]:
    environment = {"STREAMGATE_AUTH__ADMINS": Wallet.named("bench").address, **UNLIMITED}
    arguments = ["--all", "--profile", "dev", "--engine", "uvicorn"]
    with running(folder, "all", arguments, environment) as server, bare("uvicorn") as peer:
        headers = asyncio.run(person(server.base_url)).headers
        health, metrics = asyncio.run(_over_http(server.port, peer.port, headers))
    return [
        Figure(
            name="health of all services",
            unit="ms",
            ours=health[0],
            peer=health[1],
            peer_name="bare Starlette",
            limit=10,
        ),
        Figure(
            name="metrics of all processes",
            unit="ms",
            ours=metrics[0],
            peer=metrics[1],
            peer_name="Prometheus text",
            limit=50,
        ),
    ]


def _snapshot(service: int, value: float) -> MetricsSnapshot:
    samples = [Sample(name=f"bench_{n % 50}", kind="gauge", value=value, labels={"of": str(n)}) for n in range(SERIES)]
    if service == 0:
        samples.append(Sample(name="bench_switch", kind="gauge", value=value, labels={}))
    return MetricsSnapshot(
        instance=f"s{service}", service=f"s{service}", at_ms=time.time_ns() // 1_000_000, samples=tuple(samples)
    )


def _rules() -> list[Rule]:
    """The first one turns at each look; no other fires."""
    others = [
        Rule(name=f"rule {n}", metric=f"bench_{n % 50}", kind="threshold" if n % 3 else "absence", value=1e9)
        for n in range(1, RULES)
    ]
    return [Rule(name="switch", metric="bench_switch", value=0), *others]


async def _alerts(folder: Path) -> Two:
    bus = MemoryBus()
    ctx = plugin_context("monitor", data_dir=folder, bus=bus)
    db = Database.for_plugin(ctx, TABLES, migrations="streamgate_monitor.migrations")
    leading: asyncio.Future[Leadership] = asyncio.get_running_loop().create_future()

    async def lead(leadership: Leadership) -> None:
        leading.set_result(leadership)
        await asyncio.Event().wait()

    leader = Leader("bench", db, leaders, lead, needs=tuple(unit.name for unit in db.units()))
    numbers, values = Numbers(), itertools.cycle((1.0, 0.0))
    alerting = Alerting(db, numbers, SYSTEM_CLOCK)
    async with units_running(bus_unit(bus), *db.units(), leader):
        leadership = await leading
        for n, rule in enumerate(_rules()):
            stored = StoredRule(rule_id=f"r_{n}", rule=rule, enabled=True, created_at_ms=0, updated_at_ms=0)
            await db.write(lambda session, stored=stored: put_rule(session, stored))  # type: ignore[misc]
        for service in range(SERVICES):
            numbers.take(_snapshot(service, 0.0))
        connection = sqlite3.connect(next(folder.rglob(DATABASE)), check_same_thread=False)

        async def peer() -> None:
            connection.execute("SELECT * FROM monitor_rules").fetchall()
            connection.execute("SELECT * FROM monitor_alerts WHERE resolved_at_ms IS NULL").fetchall()

        async def look() -> None:
            numbers.take(
                MetricsSnapshot(
                    instance="s0",
                    service="s0",
                    at_ms=time.time_ns() // 1_000_000,
                    samples=(Sample(name="bench_switch", kind="gauge", value=next(values), labels={}),),
                )
            )
            await alerting.look(leadership)

        took = await timed_by_turns(look, peer, LOOKS)
        connection.close()
    return took


def measure(folder: Path) -> list[Row]:
    place = folder / "alerts"
    place.mkdir()
    ours, peer = asyncio.run(_alerts(place))
    name = f"a look at {RULES} alert rules, one turning"
    looks = Figure(name=name, unit="ms", ours=ours, peer=peer, peer_name="sqlite3, two SELECTs", limit=100)
    return [*_asked(folder), looks]
