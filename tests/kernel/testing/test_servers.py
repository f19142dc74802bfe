"""The servers that tests start: up on a free port, down afterwards, whatever happens to the run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from streamgate.testing.server_process import ServerFailed
from streamgate.testing.servers import NatsServer, PostgresServer


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def wait_until(is_so: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < ends_at, "it did not come to pass"
        time.sleep(0.01)


async def test_two_servers_of_a_kind_run_beside_each_other(nats_server: NatsServer) -> None:
    with NatsServer() as other:
        assert other.port != nats_server.port
        for server in (other, nats_server):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            assert (await reader.readline()).startswith(b"INFO ")
            writer.close()
            await writer.wait_closed()
        folder = other.directory
        pid = other.pid

    assert not folder.exists()
    assert not is_alive(pid)


def test_a_killed_server_comes_back_on_its_port(own_nats_server: NatsServer) -> None:
    port, pid = own_nats_server.port, own_nats_server.pid

    own_nats_server.kill()
    was_down = not own_nats_server.is_running
    own_nats_server.start()
    own_nats_server.restart()

    assert was_down
    assert own_nats_server.is_running
    assert own_nats_server.port == port
    assert own_nats_server.pid != pid


def test_a_server_that_does_not_start_shows_its_log(own_nats_server: NatsServer) -> None:
    broken = NatsServer(config="no_such_setting: true")

    with pytest.raises(ServerFailed, match="no_such_setting"):
        broken.start()
    assert not broken.is_running
    broken.stop()


def test_files_of_a_given_folder_stay(tmp_path: Path) -> None:
    with NatsServer.running(tmp_path / "nats") as server:
        assert server.directory == tmp_path / "nats"

    assert (tmp_path / "nats" / "server.log").exists()


async def test_each_database_is_new_and_empty(postgres_server: PostgresServer, postgres_url: str) -> None:
    other_url = postgres_server.create_database()
    for url in (postgres_url, other_url):
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE mine (id int)")
        assert await connection.fetchval("SELECT count(*) FROM mine") == 0
        await connection.close()

    assert postgres_url != other_url


async def test_postgres_keeps_what_was_committed_over_a_kill(tmp_path: Path) -> None:
    with PostgresServer.running(tmp_path / "postgres") as server:
        url = server.create_database("kept")
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
        await connection.close()
        server.execute("CHECKPOINT")
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)

        assert server.execute("SELECT n FROM t", database="kept") == "42"
        with pytest.raises(ServerFailed, match="does not exist"):
            server.execute("SELECT * FROM missing", database="kept")


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_leaves_no_server_and_no_folder(sign: signal.Signals) -> None:
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background is born deaf to it\n"
        "from streamgate.testing.servers import NatsServer\n"
        "server = NatsServer().start()\n"
        "print(server.pid, server.directory, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().decode().split()
        server_pid = int(pid)
        assert is_alive(server_pid)
        run.send_signal(sign)

    wait_until(lambda: not is_alive(server_pid) and not Path(folder).exists())


class Hidden(PostgresServer):
    """As from a virtual environment that the unprivileged user may not enter."""

    def _may_use(self, folder: Path) -> bool:
        return False


def test_postgres_that_cannot_be_reached_is_copied(tmp_path: Path) -> None:
    with Hidden(tmp_path / "private") as server:
        assert server.execute("SELECT 6 * 7") == "42"
        assert (server.directory / "site").is_dir()
