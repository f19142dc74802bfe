"""Run StreamGate as an operator would, for tests, the demo and `make split`: real processes, real signals."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import httpx

POLL_S = 0.05


def free_port() -> int:
    """A port nobody holds now. Somebody may take it before it is bound: start promptly."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class DidNotStart(Exception):
    """A process ended, or did not become ready in time; the message carries the end of its log."""


@attrs.define
class StreamgateProcess:
    """One `streamgate run …`. Its output goes to `log_path`."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    port: int
    log_path: Path
    cwd: Path
    _process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise DidNotStart(f"{self.name} was not spawned")
        return self._process.pid

    def spawn(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("STREAMGATE_", "SERVER_", "DB_", "NATS_"))}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamgate.cli", "run", *self.arguments, "--port", str(self.port)],
                env={**kept, **self.environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.cwd,
            )

    def wait_ready(self, timeout_s: float = 30.0) -> float:
        """Seconds until `/ready` said yes.

        Raises:
            DidNotStart: it ended, or the time is over.
        """
        began = time.monotonic()
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while time.monotonic() - began < timeout_s:
                if self._process is None or self._process.poll() is not None:
                    raise DidNotStart(f"{self.name} ended while starting:\n{self.log_tail()}")
                with contextlib.suppress(httpx.HTTPError):
                    if client.get(f"{self.base_url}/ready").status_code == 200:
                        return time.monotonic() - began
                time.sleep(POLL_S)
        raise DidNotStart(f"{self.name} was not ready after {timeout_s:.0f} s:\n{self.log_tail()}")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, then the exit code; SIGKILL when it does not leave in time (and then -9)."""
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    def log_tail(self, lines: int = 40) -> str:
        if not self.log_path.exists():
            return "(no output)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
