"""How soon a process is ready, and what it holds: one process from `exec` to its first yes at `/ready` (seconds), and
its resident memory then (MB). Beside bare Starlette on the same server, by turns, each on a warm page cache."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from streamgate.testing.servers import NatsServer
from tests.bench.figures import Figure, Row
from tests.bench.processes import ALONE, bare, memory_mb, running

STARTS = 3
PEER = "bare Starlette on hypercorn"


def _start(folder: Path, name: str, arguments: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    began = time.monotonic()
    with running(folder, name, arguments, environment) as started:
        return time.monotonic() - began, memory_mb(started.pid)


def _beside(
    folder: Path, name: str, arguments: list[str], environment: Mapping[str, str], limits: tuple[float, float]
) -> list[Row]:
    ours, peers = [], []
    for _ in range(STARTS):
        ours.append(_start(folder, name, arguments, environment))
        with bare() as peer:
            peers.append((peer.ready_s, memory_mb(peer.pid)))
    shown = (("ready", "s", 0), ("resident", "MB", 1))
    return [
        Figure(
            name=f"{arguments[0]} {name} {what}".replace("--all all", "--all"),
            unit=unit,
            ours=tuple(each[n] for each in ours),
            peer=tuple(each[n] for each in peers),
            peer_name=PEER,
            limit=limits[n],
        )
        for what, unit, n in shown
    ]


def measure(folder: Path) -> list[Row]:
    rows = _beside(folder, "all", ["--all", "--profile", "dev"], {}, (2.5, 180))
    with NatsServer() as nats:
        rows += _beside(folder, "cache", ["--only", "cache"], {"NATS_URL": nats.url, **ALONE}, (1, 120))
    return rows
