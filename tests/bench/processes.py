"""How soon a process is ready, what it holds, and how many small requests it answers: beside bare Starlette."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from streamgate.testing.processes import StreamgateProcess, free_port
from streamgate.testing.servers import NatsServer
from tests.bench.figures import Figure

STARTS = 5
LOAD_RUNS = 3
PEER = "bare Starlette on hypercorn"


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def _process(folder: Path, name: str, arguments: list[str], environment: dict[str, str]) -> StreamgateProcess:
    return StreamgateProcess(
        name=name,
        arguments=arguments,
        environment={"STREAMGATE_DATA_DIR": str(folder / "data"), **environment},
        port=free_port(),
        log_path=folder / f"{name}.log",
        cwd=folder,
    )


def _start_and_size(folder: Path, name: str, arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    process = _process(folder, name, arguments, environment)
    began = time.monotonic()
    process.spawn()
    try:
        process.wait_ready()
        return time.monotonic() - began, _resident_mb(process.pid)
    finally:
        process.stop()


@contextmanager
def _bare() -> Iterator[tuple[int, float, float]]:
    """Bare Starlette: (port, seconds to its first answer, resident MB)."""
    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", str(port)])
    try:
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() - began < 20:
                with contextlib.suppress(httpx.HTTPError):
                    client.get(f"http://127.0.0.1:{port}/ready")
                    break
                time.sleep(0.02)
        yield port, time.monotonic() - began, _resident_mb(process.pid)
    finally:
        process.terminate()
        process.wait(10)


def _load(port: int) -> tuple[float, list[float]]:
    command = [sys.executable, "-m", "tests.bench.load", "127.0.0.1", str(port), "/health"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    answer = json.loads(out)
    return answer["per_s"], answer["latencies_ms"]


def measure(folder: Path) -> list[Figure]:
    all_starts, all_sizes, bare_starts, bare_sizes = [], [], [], []
    for _ in range(STARTS):
        took_s, size_mb = _start_and_size(folder, "all", ["--all", "--profile", "dev"], {})
        all_starts.append(took_s)
        all_sizes.append(size_mb)
        with _bare() as (_, bare_s, bare_mb):
            bare_starts.append(bare_s)
            bare_sizes.append(bare_mb)
    cache_starts, cache_sizes = [], []
    with NatsServer() as nats:
        for _ in range(STARTS):
            took_s, size_mb = _start_and_size(folder, "cache", ["--only", "cache"], {"NATS_URL": nats.url, "STREAMGATE_BUS__IDENTITY": "none"})
            cache_starts.append(took_s)
            cache_sizes.append(size_mb)

    def beside(name: str, unit: str, ours: list[float], peer: list[float], limit: float) -> Figure:
        return Figure(name=name, unit=unit, ours=tuple(ours), peer=tuple(peer), peer_name=PEER, limit=limit)

    return [
        beside("--all ready", "s", all_starts, bare_starts, 2.5),
        beside("--all resident", "MB", all_sizes, bare_sizes, 180),
        beside("--only cache ready", "s", cache_starts, bare_starts, 1),
        beside("--only cache resident", "MB", cache_sizes, bare_sizes, 120),
        *_requests(folder),
    ]


def _requests(folder: Path) -> list[Figure]:
    ours = _process(folder, "all-load", ["--all", "--profile", "dev"], {})
    ours.spawn()
    rates, peer_rates = [], []
    latencies_ms: list[float] = []
    peer_latencies_ms: list[float] = []
    try:
        ours.wait_ready()
        with _bare() as (port, _, _):
            for _ in range(LOAD_RUNS):  # in turn, so that a drift of the machine's speed hits both
                rate, each_ms = _load(ours.port)
                rates.append(rate)
                latencies_ms += each_ms
                rate, each_ms = _load(port)
                peer_rates.append(rate)
                peer_latencies_ms += each_ms
    finally:
        ours.stop()
    return [
        Figure(
            name="small requests, one process, 16 connections",
            unit="1/s",
            ours=tuple(rates),
            peer=tuple(peer_rates),
            peer_name=PEER,
            higher_is_better=True,
        ),
        Figure(name="  latency of each", unit="ms", ours=tuple(latencies_ms), peer=tuple(peer_latencies_ms)),
    ]
