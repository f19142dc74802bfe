"""How soon a process is ready, and what it holds: one process from `exec` to its first yes at `/ready` (seconds), and
its processor time (seconds) and resident memory (MB) until then. Beside bare Starlette on the same server, by turns,
each on a warm page cache."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from streamgate.testing.servers import NatsServer
from tests.bench.figures import Figure, Row
from tests.bench.processes import ALONE, bare, memory_mb, processor_s, running

STARTS = 3
PEER = "bare Starlette on hypercorn"

Begun = tuple[float, float, float]
"""Seconds until ready, processor time until then, resident MB."""


def _begun(ready_s: float, pid: int) -> Begun:
    return ready_s, processor_s(pid), memory_mb(pid)


def _start(folder: Path, name: str, arguments: list[str], environment: Mapping[str, str]) -> Begun:
    began = time.monotonic()
    with running(folder, name, arguments, environment) as started:
        return _begun(time.monotonic() - began, started.pid)


def _beside(folder: Path, name: str, arguments: list[str], environment: Mapping[str, str], limits: Begun) -> list[Row]:
    ours, peers = [], []
    for _ in range(STARTS):
        ours.append(_start(folder, name, arguments, environment))
        with bare() as peer:
            peers.append(_begun(peer.ready_s, peer.pid))
    shown = (("ready", "s"), ("ready, processor time", "s"), ("resident", "MB"))
    return [
        Figure(
            name=f"{arguments[0]} {name} {what}".replace("--all all", "--all"),
            unit=unit,
            ours=tuple(each[n] for each in ours),
            peer=tuple(each[n] for each in peers),
            peer_name=PEER,
            limit=limits[n],
        )
        for n, (what, unit) in enumerate(shown)
    ]


def measure(folder: Path) -> list[Row]:
    rows = _beside(folder, "all", ["--all", "--profile", "dev"], {}, (2.5, 0, 180))
    with NatsServer() as nats:
        rows += _beside(folder, "cache", ["--only", "cache"], {"NATS_URL": nats.url, **ALONE}, (1, 0, 120))
    return rows
