"""StreamGate in its three shapes, started and stopped as a whole.

    with all_in_one(folder) as stack: ...       one process on the embedded defaults
    with copies(folder) as stack: ...           two identical ones behind a balancer, over shared servers
    with split(folder) as stack: ...            a process for each service, over shared servers

All give a `Stack`: one public URL, its processes and its servers by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from streamgate.testing.backends import backends
from streamgate.testing.balancer import Balancer
from streamgate.testing.processes import StreamgateProcess, free_port
from streamgate.testing.s3_server import S3Bucket
from streamgate.testing.server_process import ServerProcess

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

READY_TIMEOUT_S = 180.0
RESTART_AFTER_S = 0.5


@attrs.define
class Stack:
    """Running StreamGate. `processes` by name; further copies of a service are `<name>-2` and so on.

    `servers`: nats, postgres, redis, s3, where there are any. `chain_url`: where `/api/v1/devchain` is served.
    """

    mode: str
    url: str
    data_dir: Path
    processes: dict[str, StreamgateProcess]
    ready_s: float = 0.0
    servers: Mapping[str, ServerProcess] = attrs.field(factory=dict)
    bucket: S3Bucket | None = None
    chain_url: str = ""

    def __attrs_post_init__(self) -> None:
        self.chain_url = self.chain_url or self.url

    def crash(self, name: str) -> None:
        """kill -9 of a process or server."""
        (self.servers.get(name) or self.processes[name]).kill()

    def bring_back(self, name: str) -> None:
        """What a supervisor does then: the same command again, a moment later. It is on its way when this returns."""
        time.sleep(RESTART_AFTER_S)
        server = self.servers.get(name)
        if server is not None:
            server.start()
        else:
            self.processes[name].spawn()

    def wait_ready(self) -> float:
        """Until every process says that it is; seconds. Raises DidNotStart."""
        return max(process.wait_ready(READY_TIMEOUT_S) for process in self.processes.values())

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
        ready_s = process.wait_ready(READY_TIMEOUT_S)
        yield Stack("all", process.base_url, folder / "data", {"all": process}, ready_s)
    finally:
        process.stop()


@contextmanager
def split(folder: Path, *, environment: Mapping[str, str] | None = None, profile: str = "dev") -> Iterator[Stack]:
    """A process for each service over NATS, PostgreSQL, Redis and S3, ready. `url` is the gateway's."""
    gateway_port = free_port()
    given = {"STREAMGATE_SERVER__PUBLIC_URL": f"http://127.0.0.1:{gateway_port}", **(environment or {})}
    with ExitStack() as cleanup:
        shared = cleanup.enter_context(backends(folder, SERVICES, environment=given, profile=profile))
        processes: dict[str, StreamgateProcess] = {}
        for service in SERVICES:
            name = service if service not in processes else f"{service}-2"
            processes[name] = StreamgateProcess(
                name=name,
                arguments=["--only", service, "--profile", profile],
                environment=shared.environment(service),
                port=gateway_port if service == "api" else free_port(),
                log_path=folder / f"{name}.log",
                cwd=folder,
            )
            cleanup.callback(processes[name].stop)
            processes[name].spawn()
        stack = Stack("split", processes["api"].base_url, folder / "data", processes)
        stack.servers, stack.bucket = shared.servers, shared.bucket
        stack.ready_s = stack.wait_ready()
        yield stack


@contextmanager
def copies(folder: Path, *, environment: Mapping[str, str] | None = None, profile: str = "dev") -> Iterator[Stack]:
    """Two copies of `--all` over NATS, PostgreSQL, Redis and S3, ready. `url` is that of the balancer before them, to
    which every connection is a new draw. They share one chain, a process of its own."""
    with ExitStack() as cleanup:
        balancer = cleanup.enter_context(Balancer())
        given = {
            "STREAMGATE_SERVER__PUBLIC_URL": balancer.url,
            "STREAMGATE_PLUGINS__DISABLED": "devchain",
            **(environment or {}),
        }
        shared = cleanup.enter_context(backends(folder, ("all", "devchain"), environment=given, profile=profile))
        processes: dict[str, StreamgateProcess] = {}
        for name, chosen in (("devchain", ["--only", "devchain"]), ("all", ["--all"]), ("all-2", ["--all"])):
            own = {"STREAMGATE_DATA_DIR": str(folder / f"data-{name}")}
            if name == "devchain":
                own["STREAMGATE_PLUGINS__DISABLED"] = ""
            processes[name] = StreamgateProcess(
                name=name,
                arguments=[*chosen, "--profile", profile],
                environment={**shared.environment("all" if name != "devchain" else name), **own},
                port=free_port(),
                log_path=folder / f"{name}.log",
                cwd=folder,
            )
            cleanup.callback(processes[name].stop)
            processes[name].spawn()
        balancer.ports = (processes["all"].port, processes["all-2"].port)
        stack = Stack("copies", balancer.url, folder / "data-all", processes, chain_url=processes["devchain"].base_url)
        stack.servers, stack.bucket = shared.servers, shared.bucket
        stack.ready_s = stack.wait_ready()
        yield stack
