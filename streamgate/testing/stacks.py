"""StreamGate in its two shapes, started and stopped as a whole: everything in one process, or split.

    with all_in_one(folder) as stack: ...
    with split(folder) as stack: ...

Both give a `Stack`: one public URL, and its processes by name.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from streamgate.testing.processes import StreamgateProcess, free_port
from streamgate.testing.servers import NatsServer, PostgresServer

SERVICES = (
    "auth",
    "metadata",
    "worker",
    "streaming",
    "upload",
    "cache",
    "monitor",
    "transcoder",
    "transcoder",
    "devchain",
    "web",
    "api",
)
"""What `split` starts: the nine services (the transcoder twice, so that one may die), the chain and the page."""


@attrs.define
class Stack:
    """Running StreamGate. `processes` by name; further copies of a service are `<name>-2` and so on."""

    mode: str
    url: str
    data_dir: Path
    processes: dict[str, StreamgateProcess]
    ready_s: float = 0.0

    def logs(self) -> str:
        return "\n".join(f"--- {name}\n{process.log_tail()}" for name, process in self.processes.items())


@contextmanager
def all_in_one(folder: Path, *, environment: Mapping[str, str] | None = None, profile: str = "dev") -> Iterator[Stack]:
    """`streamgate run --all` on embedded defaults in `folder`, ready."""
    process = StreamgateProcess(
        name="all",
        arguments=["--all", "--profile", profile],
        environment={"STREAMGATE_DATA_DIR": str(folder / "data"), **(environment or {})},
        port=free_port(),
        log_path=folder / "all.log",
        cwd=folder,
    )
    process.spawn()
    try:
        ready_s = process.wait_ready()
        yield Stack("all", process.base_url, folder / "data", {"all": process}, ready_s)
    finally:
        process.stop()


@contextmanager
def split(folder: Path, *, environment: Mapping[str, str] | None = None, profile: str = "dev") -> Iterator[Stack]:
    """A process for each service over real NATS and PostgreSQL, ready. `url` is the gateway's."""
    with ExitStack() as cleanup:
        identities = issue_identities(folder, environment or {})
        nats = cleanup.enter_context(NatsServer(config=(identities / "nats.conf").read_text(encoding="utf-8")))
        postgres = cleanup.enter_context(PostgresServer())
        gateway_port = free_port()
        shared = {
            "STREAMGATE_DATA_DIR": str(folder / "data"),
            "STREAMGATE_BLOBS__URL": (folder / "blobs").as_uri(),
            "STREAMGATE_BUS__URL": nats.url,
            "STREAMGATE_DATABASE__URL": postgres.create_database(),
            "STREAMGATE_SECRETS__MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
            "STREAMGATE_SERVER__PUBLIC_URL": f"http://127.0.0.1:{gateway_port}",
            **(environment or {}),
        }
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        upgrade_database(shared, folder, profile)
        processes: dict[str, StreamgateProcess] = {}
        for service in SERVICES:
            name = service if service not in processes else f"{service}-2"
            process = StreamgateProcess(
                name=name,
                arguments=["--only", service, "--profile", profile],
                environment={"STREAMGATE_BUS__IDENTITY": str(identities / f"{service}.json"), **shared},
                port=gateway_port if service == "api" else free_port(),
                log_path=folder / f"{name}.log",
                cwd=folder,
            )
            processes[name] = process
            cleanup.callback(process.stop)
            process.spawn()
        ready_s = max(process.wait_ready(60.0) for process in processes.values())
        yield Stack("split", processes["api"].base_url, folder / "data", processes, ready_s)


def issue_identities(folder: Path, environment: Mapping[str, str]) -> Path:
    """`streamgate identity issue`: a file for each service, and the NATS server's configuration."""
    identities = folder / "identity"
    run_command(["identity", "issue", "--out", str(identities)], environment, folder)
    return identities


def upgrade_database(environment: Mapping[str, str], folder: Path, profile: str) -> None:
    """`streamgate db upgrade`, as the operator's first step."""
    run_command(["db", "upgrade", "--profile", profile], environment, folder)


def run_command(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
    """What `streamgate …` prints."""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-m", "streamgate.cli", *arguments],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"streamgate {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
