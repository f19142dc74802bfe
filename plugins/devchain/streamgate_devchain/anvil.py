"""anvil, Foundry's EVM node, as a child process: found, started on a free port of loopback, ended with us.

Its state is loaded from a file at start and written there at the end (SIGTERM), so that minted tokens, and the gates
that ask for them, survive a restart of the server.
"""

from __future__ import annotations

import asyncio
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from streamgate.sdk.http import OutgoingFault
from streamgate_devchain.rpc import Rpc, RpcFault

if TYPE_CHECKING:
    import httpx

CHAIN_NUMBER = 31337
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 8.0
POLL_S = 0.01
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class AnvilFault(Exception):
    """The node is not to be had; the message says what to do."""


def find_anvil(configured: str = "") -> str:
    """The program to run.

    Raises:
        AnvilFault: there is none on this machine.
    """
    if configured:
        if not Path(configured).is_file():
            raise AnvilFault(f"devchain.anvil: there is no file {configured}")
        return configured
    package = f"anvil-{platform.system().lower()}-{_MACHINES.get(platform.machine(), platform.machine())}"
    installed = Path(__file__).parents[1] / "node_modules" / "@foundry-rs" / package / "bin" / "anvil"
    found = str(installed) if installed.is_file() else shutil.which("anvil")
    if found is None:
        raise AnvilFault("anvil is not installed: run `make install`, or set STREAMGATE_DEVCHAIN__ANVIL to its path")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Anvil:
    """One node.

    Args:
        folder: for its log, and for its state when `keeps_state`.
        port: 0 takes a free one.
    """

    def __init__(self, program: str, folder: Path, *, port: int = 0, keeps_state: bool = True) -> None:
        self._program = program
        self._folder = folder
        self._port = port
        self._keeps_state = keeps_state
        self._process: asyncio.subprocess.Process | None = None
        self.rpc_url = ""

    async def start(self, client: httpx.AsyncClient) -> Rpc:
        """Returns when it answers.

        Raises:
            AnvilFault: it ended, or did not answer in time.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        port = self._port or _free_port()
        self.rpc_url = f"http://127.0.0.1:{port}"
        with (self._folder / "anvil.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(port), stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log
            )
        rpc = Rpc(self.rpc_url, client)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._wait_until_it_answers(rpc)
        except TimeoutError as fault:
            await self.stop()
            raise AnvilFault(f"anvil did not answer within {START_TIMEOUT_S:g} s; see {self._log}") from fault
        return rpc

    async def stop(self) -> None:
        """Closes the pipe that keeps it alive and waits until its state is written."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _wait_until_it_answers(self, rpc: Rpc) -> None:
        while True:
            if self._process is None or self._process.returncode is not None:
                raise AnvilFault(f"anvil ended while starting; see {self._log}")
            try:
                if int(await rpc.call("eth_chainId"), 16) == CHAIN_NUMBER:
                    return
                raise AnvilFault(f"something else answers on {self.rpc_url}")
            except (OutgoingFault, RpcFault):
                await asyncio.sleep(POLL_S)

    @property
    def _log(self) -> Path:
        return self._folder / "anvil.log"

    def _command(self, port: int) -> list[str]:
        watch = str(Path(__file__).with_name("watch.py"))
        options = ["--host", "127.0.0.1", "--port", str(port), "--chain-id", str(CHAIN_NUMBER), "--silent"]
        options += ["--slots-in-an-epoch", "1"]  # else `safe` and `finalized` stay at block 0
        if self._keeps_state:
            options += ["--state", str(self._folder / "state.json")]
        return [sys.executable, "-I", "-S", watch, self._program, *options]
