"""How soon a process is ready, and what it holds: beside bare Starlette."""

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
PEER = "bare Starlette on hypercorn"


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no VmRSS of {pid}")


def process(folder: Path, name: str, arguments: list[str], environment: dict[str, str]) -> StreamgateProcess:
    return StreamgateProcess(
        name=name,
        arguments=arguments,
        environment={"STREAMGATE_DATA_DIR": str(folder / "data"), **environment},
        port=free_port(),
        log_path=folder / f"{name}.log",
        cwd=folder,
    )


def _start_and_size(folder: Path, name: str, arguments: list[str], environment: dict[str, str]) -> tuple[float, float]:
    started = process(folder, name, arguments, environment)
    began = time.monotonic()
    started.spawn()
    try:
        started.wait_ready()
        return time.monotonic() - began, _resident_mb(started.pid)
    finally:
        started.stop()


@contextmanager
def bare(engine: str = "hypercorn") -> Iterator[tuple[int, float, float]]:
    """Bare Starlette: (port, seconds to its first answer, resident MB)."""
    port = free_port()
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", str(port), engine])
    try:
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() - began < 20:
                with contextlib.suppress(httpx.HTTPError):
                    client.get(f"http://127.0.0.1:{port}/ready")
                    break
                time.sleep(0.02)
        yield port, time.monotonic() - began, _resident_mb(child.pid)
    finally:
        child.terminate()
        child.wait(10)


def load(port: int) -> tuple[float, list[float]]:
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
        with bare() as (_, bare_s, bare_mb):
            bare_starts.append(bare_s)
            bare_sizes.append(bare_mb)
    cache_starts, cache_sizes = [], []
    with NatsServer() as nats:
        for _ in range(STARTS):
            took_s, size_mb = _start_and_size(
                folder, "cache", ["--only", "cache"], {"NATS_URL": nats.url, "STREAMGATE_BUS__IDENTITY": "none"}
            )
            cache_starts.append(took_s)
            cache_sizes.append(size_mb)

    def beside(name: str, unit: str, ours: list[float], peer: list[float], limit: float) -> Figure:
        return Figure(name=name, unit=unit, ours=tuple(ours), peer=tuple(peer), peer_name=PEER, limit=limit)

    return [
        beside("--all ready", "s", all_starts, bare_starts, 2.5),
        beside("--all resident", "MB", all_sizes, bare_sizes, 180),
        beside("--only cache ready", "s", cache_starts, bare_starts, 1),
        beside("--only cache resident", "MB", cache_sizes, bare_sizes, 120),
    ]
