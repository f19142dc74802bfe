"""A whole process around toy plugins: the kernel needs none of ours."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from loguru import logger

from streamgate.hooks import hookimpl
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.plugins import Found, PluginContext, PluginInfo
from streamgate.prepare import RunOptions, prepare
from streamgate.runtime import Process, run
from streamgate.services import Offer
from streamgate.settings import LogSettings
from streamgate.start import StartFault
from streamgate.telemetry.tap import open_tap
from streamgate.testing.processes import free_port
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually
from streamgate.web.routes import PUBLIC, Call, Route
from tests.kernel.toy import DOOR_INFO, GREETER, GREETER_INFO, Greeting, Name, toys


@pytest.fixture(autouse=True)
def _only_toys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("streamgate.prepare.discover", toys)
    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.yaml").write_text("{}\n")


def options(tmp_path: Path, *only: str, port: int | None = 0) -> RunOptions:
    return RunOptions(only=only or None, config_file=tmp_path / "empty.yaml", port=port)


@pytest.fixture
def log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None)
    root.handlers[:] = handlers
    root.setLevel(level)


@asynccontextmanager
async def running(given: RunOptions) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    process = Process(prepare(given))
    process.build()
    await process.start()
    try:
        url = next(iter(process.base_urls.values()))
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield process, client
    finally:
        assert await process.stop() == []


async def test_the_kernel_runs_without_any_of_our_plugins(tmp_path: Path) -> None:
    async with running(options(tmp_path)) as (_, client):
        assert (await client.get("/api/v1/door", params={"name": "Ada"})).json() == {"text": "hello Ada"}
        assert (await client.get("/health")).json()["mode"] == "all"
        assert (await client.get("/ready")).status_code == 200


async def test_without_a_public_url_the_origin_is_where_it_listens(tmp_path: Path) -> None:
    """Port 0 takes a free one: the origin must be the one taken, as sign-in is bound to it."""
    async with running(options(tmp_path, port=0)) as (process, client):
        assert process.settings.public_url == str(client.base_url).rstrip("/")
        assert not process.settings.public_url.endswith(":0")


async def test_a_port_taken_meanwhile_leaves_nothing_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:1")
    monkeypatch.setenv("STREAMGATE_BUS__IDENTITY", "none")
    process = Process(prepare(options(tmp_path, "door", "greeter", port=None)))
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", GREETER_INFO.port))
        holder.listen()
        with pytest.raises(StartFault, match=rf"greeter \(default of greeter\): .*127.0.0.1:{GREETER_INFO.port}"):
            process.build()
    with socket.socket() as again:
        again.bind(("127.0.0.1", DOOR_INFO.port))


async def test_a_plugin_reads_its_own_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_GREETER__WORD", "salut")
    async with running(options(tmp_path)) as (_, client):
        assert (await client.get("/api/v1/door", params={"name": "Ada"})).json() == {"text": "salut Ada"}


async def test_split_processes_meet_over_nats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nats_server: NatsServer
) -> None:
    monkeypatch.setenv("NATS_URL", nats_server.url)
    monkeypatch.setenv("STREAMGATE_BUS__IDENTITY", "none")
    async with running(options(tmp_path, "door")) as (_, door):
        alone = await door.get("/api/v1/door", params={"name": "Ada"})
        assert (alone.status_code, alone.json()["code"]) == (503, "service.unavailable")
        ready = (await door.get("/ready")).json()
        assert ready["ready"] is True
        assert ready["checks"]["bus"]["ok"] is True
        assert ready["checks"]["service:greetings"]["ok"] is False
        async with running(options(tmp_path, "greeter")) as (_, greeter):
            assert (await door.get("/api/v1/door", params={"name": "Ada"})).json() == {"text": "hello Ada"}
            assert (await door.get("/ready")).json()["checks"]["service:greetings"]["ok"] is True
            assert (await greeter.get("/api/v1/door")).status_code == 404


async def test_a_strangers_plugin_that_cannot_be_built_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(ctx: PluginContext) -> object:
        raise RuntimeError("no luck")

    stranger = PluginInfo(name="stranger", summary="", kind="extension", extends=("greeter",), build=build)
    broken = Found(name="stranger", distribution="a-strangers", version="1", info=stranger)
    monkeypatch.setattr("streamgate.prepare.discover", lambda: toys(broken))
    async with running(options(tmp_path)) as (process, client):
        assert process.left_out == {"stranger": "RuntimeError: no luck"}
        assert (await client.get("/api/v1/door", params={"name": "Ada"})).status_code == 200
    monkeypatch.setenv("STREAMGATE_PLUGINS__REQUIRED", "stranger")
    required = Process(prepare(options(tmp_path)))
    with pytest.raises(RuntimeError, match="no luck"):
        required.build()


class Clashing:
    """A stranger that wants the greeter's service and the door's route, and whose unit does not start."""

    def __init__(self, ctx: PluginContext) -> None:
        pass

    @hookimpl
    def collect_services(self) -> list[Offer[Any]]:
        return [Offer(GREETER, self)]

    async def greet(self, name: Name) -> Greeting:
        return Greeting("stolen")

    @hookimpl
    def collect_routes(self) -> list[Route]:
        async def steal(call: Call[None, Name]) -> Greeting:
            return Greeting("stolen")

        return [Route("GET", "/api/v1/door", steal, policy=PUBLIC, query=Name, answer=Greeting, summary="Steals")]

    @hookimpl
    def collect_units(self) -> list[Unit]:
        async def fail() -> None:
            raise OSError("no luck")

        return [SimpleUnit("clashing", fail)]


async def test_a_stranger_takes_nobodys_place_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = PluginInfo(name="aaa", summary="", build=Clashing)
    stranger = Found(name="aaa", distribution="a-strangers", version="1", info=info)
    monkeypatch.setattr("streamgate.prepare.discover", lambda: toys(stranger))
    async with running(options(tmp_path)) as (process, client):
        assert "aaa" in process.left_out
        assert "unit did not start: no luck" in process.left_out["clashing"]
        assert (await client.get("/api/v1/door", params={"name": "Ada"})).json() == {"text": "hello Ada"}


def test_a_required_plugin_that_is_not_installed_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGATE_PLUGINS__REQUIRED", "absent")
    with pytest.raises(StartFault, match="absent is not installed"):
        prepare(options(tmp_path))


def test_a_misspelt_plugin_among_the_disabled_ones_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_PLUGINS__DISABLED", "greeeter")
    with pytest.raises(StartFault, match="no plugin is named 'greeeter'; did you mean 'greeter'"):
        prepare(options(tmp_path))


def test_a_misspelt_required_plugin_is_named_with_the_one_that_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMGATE_PLUGINS__REQUIRED", "greter")
    with pytest.raises(StartFault, match="greter is not installed; did you mean 'greeter'"):
        prepare(options(tmp_path))


async def test_a_reload_of_the_log_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log_as_it_was: None
) -> None:
    """Lines of requests and all others: format, level, who tells them, and what is shipped below what is shown."""
    monkeypatch.setenv("STREAMGATE_TELEMETRY__SERVICE_NAME", "hall")
    tap = open_tap("INFO")
    shipped: list[str] = []
    async with running(options(tmp_path)) as (process, client):
        told: list[LogSettings] = []
        process.reloads.subscribe("log", told.append)

        async def reload(**log: str) -> None:
            (tmp_path / "empty.yaml").write_text(f"log: {json.dumps(log)}\n")
            os.kill(os.getpid(), signal.SIGHUP)

            async def is_told() -> bool | None:
                return LogSettings(**log) in told or None  # type: ignore[arg-type]

            await eventually(is_told, what="the reload")

        async def tell(name: str) -> None:
            logger.info(name)
            assert (await client.get("/api/v1/door", params={"name": name})).status_code == 200

            async def is_shipped() -> bool | None:
                shipped.extend(record.event for record in tap.take(100)[0])
                return {name, "request"} <= {*shipped} or None

            await eventually(is_shipped, what=f"{name} in the tap")
            shipped.clear()

        await reload(format="json")
        await tell("seen")
        await reload(format="json", level="ERROR")
        await tell("shipped alone")
    tap.close()
    logger.remove()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    assert {line["service"] for line in lines} == {"hall"}
    assert [line["event"] for line in lines if line["event"] in ("seen", "shipped alone", "request")] == [
        "seen",
        "request",
    ]


def test_every_fault_of_the_start_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGATE_PLUGINS__REQUIRED", "absent")
    with pytest.raises(StartFault) as caught:
        prepare(options(tmp_path, "door", "greeter", port=7000))
    assert len(caught.value.faults) == 3  # no NATS, a plugin that is absent, one port for two services


def test_no_thread_keeps_the_event_loop_waiting_for_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []

    def look(serving: Coroutine[Any, Any, int]) -> int:
        serving.close()
        found.append(sys.getswitchinterval())
        return 0

    before = sys.getswitchinterval()
    monkeypatch.setattr("uvloop.run", look)
    monkeypatch.setattr("streamgate.runtime.log_taker", lambda *_: lambda _: None)
    try:
        run(options(tmp_path), on_ready=lambda _: None)
    finally:
        sys.setswitchinterval(before)
    assert found == [pytest.approx(0.0002)]


# --- as a process of its own: signals, exit codes, what a person reads ---------------------------------


def spawn(tmp_path: Path, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *before,
            sys.executable,
            "-m",
            "tests.kernel.toy",
            "run",
            *arguments,
            "--config",
            str(tmp_path / "empty.yaml"),
        ],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "STREAMGATE_SERVER__DRAIN_TIMEOUT_S": "15"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=bool(before),
    )


def read_until_open(process: subprocess.Popen[str]) -> str:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if line.strip().startswith("open "):
            return "".join(lines)
    raise AssertionError(f"it ended: {process.stderr and process.stderr.read()}")


async def test_sigterm_lets_a_running_request_finish(tmp_path: Path) -> None:
    port = free_port()
    process = spawn(tmp_path, "--all", "--port", str(port))
    try:
        banner = read_until_open(process)
        assert "greeter, door" in banner
        assert f"http://127.0.0.1:{port}" in banner
        released = tmp_path / "released"
        answers: list[httpx.Response] = []
        url = f"http://127.0.0.1:{port}/api/v1/door/wait"
        asking = threading.Thread(
            target=lambda: answers.append(httpx.get(url, params={"path": str(released)}, timeout=30, trust_env=False))
        )
        asking.start()

        async def is_waiting() -> bool | None:
            return released.with_suffix(".waiting").exists() or None

        await eventually(is_waiting)
        process.send_signal(signal.SIGTERM)

        async def is_closed() -> bool | None:
            try:
                async with httpx.AsyncClient(trust_env=False) as client:
                    await client.get(f"http://127.0.0.1:{port}/health", timeout=1)
            except httpx.TransportError:
                return True
            return None

        await eventually(is_closed)
        process.send_signal(signal.SIGHUP)  # of a shell that ends
        released.touch()
        asking.join(20)
        assert [answer.json() for answer in answers] == [{"text": "done"}]
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


async def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    port = free_port()
    process = spawn(tmp_path, "--all", "--port", str(port))
    try:
        read_until_open(process)
        never = tmp_path / "never"
        url = f"http://127.0.0.1:{port}/api/v1/door/wait"

        def ask() -> None:
            try:
                httpx.get(url, params={"path": str(never)}, timeout=30, trust_env=False)
            except httpx.TransportError:
                return

        asking = threading.Thread(target=ask)
        asking.start()

        async def is_waiting() -> bool | None:
            return never.with_suffix(".waiting").exists() or None

        await eventually(is_waiting)
        process.send_signal(signal.SIGINT)

        async def has_left() -> int | None:
            process.send_signal(signal.SIGINT)
            return process.poll()

        assert await eventually(has_left, timeout_s=5) == 130
        asking.join(10)
    finally:
        process.kill()
        process.communicate()


def test_it_ends_with_the_terminal_it_was_started_at(tmp_path: Path) -> None:
    """SIGHUP reloads while the terminal is there; when it is gone the process drains."""
    ours, its = os.openpty()
    # Of a session of its own, whose first terminal becomes the one that it belongs to.
    at_terminal = ("sh", "-c", 'exec "$@" <"$0" 2>"$0"', os.ttyname(its))
    process = spawn(tmp_path, "--all", "--port", "0", before=at_terminal)
    try:
        read_until_open(process)
        process.send_signal(signal.SIGHUP)
        shown = b""
        while b"configuration reloaded" not in shown:
            shown += os.read(ours, 4096)
        os.close(its)
        os.close(ours)  # of which the system tells by SIGHUP
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_start_fault_is_a_line_and_exit_code_2(tmp_path: Path) -> None:
    process = spawn(tmp_path, "--only", "dor")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "did you mean 'door'" in errors
    assert "Traceback" not in errors
