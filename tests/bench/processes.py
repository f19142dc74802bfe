"""What is measured runs in processes of its own: StreamGate, bare Starlette, nginx; and what they take."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
import httpx

from streamgate.testing.processes import StreamgateProcess, free_port
from streamgate.testing.wallets import SignedIn, Wallet, sign_in

OFTEN = 1_000_000_000
READY_S = 90.0  # on a machine that is busy with other things
UNLIMITED = {
    "STREAMGATE_LIMITS__ADDRESS_PER_MINUTE": str(OFTEN),
    "STREAMGATE_LIMITS__IDENTITY_PER_MINUTE": str(OFTEN),
    "STREAMGATE_AUTH__REQUESTS_PER_MINUTE": str(OFTEN),
    "STREAMGATE_AUTH__WALLET_REQUESTS_PER_MINUTE": str(OFTEN),
}
"""Requests are counted, and none is refused."""
ALONE = {"STREAMGATE_BUS__IDENTITY": "none"}
"""For `--only` with a NATS server of its own."""


def process(
    folder: Path, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> StreamgateProcess:
    return StreamgateProcess(
        name=name,
        arguments=arguments,
        environment={"STREAMGATE_DATA_DIR": str(folder / f"{name}-data"), **(environment or {})},
        port=free_port(),
        log_path=folder / f"{name}.log",
        cwd=folder,
    )


@contextmanager
def running(
    folder: Path, name: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[StreamgateProcess]:
    """Ready, and gone afterwards."""
    started = process(folder, name, arguments, environment)
    started.spawn()
    try:
        started.wait_ready(READY_S)
        yield started
    finally:
        started.stop()


async def person(url: str, name: str = "bench") -> SignedIn:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        return await sign_in(http, Wallet.named(name))


@attrs.frozen
class Bare:
    """Bare Starlette, answering."""

    port: int
    pid: int
    ready_s: float


@contextmanager
def bare(engine: str = "hypercorn", folder: Path | None = None, *, module: str = "tests.bench.bare") -> Iterator[Bare]:
    """Bare Starlette in a process; what is sent to it is written to files in `folder`."""
    port = free_port()
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, "-m", module, str(port), engine, str(folder or "")])
    try:
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() - began < 20:
                with contextlib.suppress(httpx.HTTPError):
                    client.get(f"http://127.0.0.1:{port}/ready")
                    break
                time.sleep(0.02)
        yield Bare(port, child.pid, time.monotonic() - began)
    finally:
        child.terminate()
        child.wait(10)


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """`VmRSS`: resident now; `VmHWM`: at most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {what} of {pid}")


def processor_s(*pids: int) -> float:
    """Of all their threads since they began."""
    found = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found
