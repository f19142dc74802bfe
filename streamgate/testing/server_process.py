"""Server processes for tests and demos: on loopback, on free ports, in a folder of their own, gone afterwards.

They end with the block, at the end of the interpreter, and also when the interpreter is killed: a tiny shell
(`Guard`) reads a pipe from us and kills what it was told of when the pipe closes.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from streamgate.testing.processes import free_port

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.01
PORT_ATTEMPTS = 3
LOG_TAIL_CHARS = 2_000


class ServerFailed(Exception):
    """A server did not come up; the end of its log is in the message."""


class Guard:
    """Kills the processes and removes the temporary folders it was told of once we are gone, however we went."""

    _SCRIPT = """
        pids=""; set --
        while IFS= read -r line; do
            case "$line" in
                "pids "*) pids="${line#pids }";;
                "folder "*) set -- "$@" "${line#folder }";;
            esac
        done
        [ -z "$pids" ] || kill -9 $pids 2>/dev/null
        [ $# -eq 0 ] || rm -rf -- "$@"
    """

    def __init__(self) -> None:
        self._pids: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def add(self, pid: int) -> None:
        self._pids.add(pid)
        self._tell_pids()

    def remove(self, pid: int) -> None:
        self._pids.discard(pid)
        self._tell_pids()

    def add_folder(self, folder: Path) -> None:
        self._tell(f"folder {folder}")

    def _tell_pids(self) -> None:
        self._tell(f"pids {' '.join(map(str, sorted(self._pids)))}")

    def _tell(self, line: str) -> None:
        if self._shell is None:
            # A session of its own: Ctrl-C in the terminal must not end the guard before its wards.
            self._shell = subprocess.Popen(["sh", "-c", self._SCRIPT], stdin=subprocess.PIPE, start_new_session=True)
            atexit.register(self.close)
        assert self._shell.stdin is not None
        self._shell.stdin.write(line.encode() + b"\n")
        self._shell.stdin.flush()

    def close(self) -> None:
        """Ends whatever is left, then the guard itself."""
        if self._shell is None or os.getpid() != self._owner:  # a forked child guards nothing
            return
        shell, self._shell = self._shell, None
        shell.communicate()
        self._pids.clear()


_guard = Guard()


class ServerProcess(ABC):
    """A server with a folder. Subclasses say how it is begun and when it is ready.

    Args:
        folder: kept afterwards; without one, a temporary folder that goes with the server.
    """

    kind = "server"
    stop_signal = signal.SIGTERM

    def __init__(self, folder: Path | None = None) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = folder
        self._is_temporary = folder is None
        self._log_starts_at = 0

    # --- what a subclass says -----------------------------------------------------------------------

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What is executed, with its arguments."""

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def prepare(self) -> None:  # noqa: B027 - who needs files makes them
        """Runs once, in the new folder, before the first start."""

    def popen_options(self) -> Mapping[str, object]:
        """More arguments for Popen."""
        return {}

    # --- life ---------------------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix=f"streamgate-{self.kind}-"))
            _guard.add_folder(self._directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailed(f"{self.kind} is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Returns when it is ready. The first start picks the port; later ones keep it.

        Raises:
            ServerFailed: it ended or was not ready in 20 s.
        """
        if self.port == 0:
            self.prepare()
            self._start_on_free_port()
        else:
            self.spawn()
        return self

    def _start_on_free_port(self) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self.port = free_port()
            try:
                return self.spawn()
            except ServerFailed:  # somebody else may have been quicker to take the port
                if attempt == PORT_ATTEMPTS:
                    raise
        return None

    def spawn(self) -> None:
        """Starts the process on the chosen port and waits until it is ready."""
        with self._log_path.open("ab") as log:
            self._log_starts_at = log.tell()
            self._process = subprocess.Popen(
                list(self.command()),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.popen_options(),  # type: ignore[call-overload]  # env, user, group, extra_groups
            )
        _guard.add(self.pid)
        ends_at = time.monotonic() + START_TIMEOUT_S
        while not self.is_ready():
            if not self.is_running or time.monotonic() > ends_at:
                self.kill()
                raise ServerFailed(f"{self.kind} did not start on port {self.port}:\n{self.log()[-LOG_TAIL_CHARS:]}")
            time.sleep(POLL_S)

    @property
    def _log_path(self) -> Path:
        return self.directory / "server.log"

    def log(self) -> str:
        """What it has written since its last start."""
        with self._log_path.open("rb") as log:
            log.seek(self._log_starts_at)
            return log.read().decode(errors="replace")

    def kill(self) -> None:
        """SIGKILL, as a power cut for the process; its files stay."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Up again on the same port with the same files."""
        self._end(self.stop_signal)
        self.start()

    def stop(self) -> None:
        """Ends the process and removes its temporary folder."""
        self._end(self.stop_signal)
        if self._is_temporary and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
            self.port = 0

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(sign)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _guard.remove(process.pid)

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        """A server with its files and log in `folder`, stopped at the end."""
        with cls(folder) as server:
            yield server

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
