"""What the containers run to hand out identities and to take them up, with the real commands and a real nats-server."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import attrs
import pytest
from click.testing import CliRunner
from nats.aio.client import Client
from nats.errors import Error as NatsError

from streamgate.bus.base import Login
from streamgate.bus.client import OrderedClient
from streamgate.cli import main as cli
from streamgate.identity.credentials import load_credentials
from streamgate.identity.nkeys import decode_seed, encode_public
from streamgate.testing.servers import NatsServer
from streamgate.testing.wait import eventually

SCRIPTS = Path(__file__).parents[2] / "deploy" / "docker"
ON_CHANGE, HAND_OUT = str(SCRIPTS / "on-change.sh"), str(SCRIPTS / "hand-out-identities.sh")
LOOKS_OFTEN = {**os.environ, "ON_CHANGE_LOOK_S": "0.05"}


# --- on-change ----------------------------------------------------------------------------------------


@asynccontextmanager
async def running(signal_name: str, file: Path, script: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A shell script under on-change; what it prints can be read."""
    process = await asyncio.create_subprocess_exec(
        *("sh", ON_CHANGE, signal_name, str(file), "sh", "-c", script),
        stdout=asyncio.subprocess.PIPE,
        env=LOOKS_OFTEN,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await _left(process)


async def _left(process: asyncio.subprocess.Process) -> int:
    """How it ended, once nobody is left who could print."""
    await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


LASTS = "echo up; while :; do sleep 0.05; done"


async def test_a_command_ends_when_its_file_is_another_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "identity.json"
    file.write_text("one")
    async with running("TERM", file, f"trap 'echo ending; exit 7' TERM; {LASTS}") as process:
        assert await line_of(process) == "up"
        file.touch()  # the same again
        file.rename(tmp_path / "gone")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(process.wait(), 0.3)
        file.write_text("two")
        assert await asyncio.wait_for(line_of(process), 10) == "ending"
        assert await asyncio.wait_for(process.wait(), 10) == 7, "its own end"


async def test_a_stop_reaches_the_command_which_may_take_its_time(tmp_path: Path) -> None:
    file = tmp_path / "identity.json"
    file.write_text("one")
    async with running("TERM", file, f"trap 'echo draining; sleep 0.2; exit 0' TERM; {LASTS}") as process:
        assert await line_of(process) == "up"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(line_of(process), 10) == "draining"
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_command_that_fails_fails_the_container(tmp_path: Path) -> None:
    async with running("TERM", tmp_path / "none", "exit 3") as process:
        assert await asyncio.wait_for(process.wait(), 10) == 3


# --- handing out ----------------------------------------------------------------------------------------


@attrs.frozen
class Hands:
    """The folders that the containers mount."""

    folder: Path
    roles: ClassVar = ("cache", "web")

    @property
    def conf(self) -> Path:
        return self.folder / "for" / "nats" / "nats.conf"

    def file(self, role: str) -> Path:
        return self.folder / "for" / role / "identity.json"

    def run(self, mode: str = "once", **more: str) -> list[str]:
        """What it says."""
        done = subprocess.run(
            ["sh", HAND_OUT, mode],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    def environment(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "IDENTITY_FROM": str(self.folder / "identity"),
            "IDENTITY_TO": str(self.folder / "for"),
            "IDENTITY_OWNER": f"{os.getuid()}:{os.getgid()}",
            **more,
        }

    def renew(self) -> None:
        """As if they were about to end."""
        renew = ["identity", "renew", "--before-days", "400", "--out", str(self.folder / "identity")]
        assert CliRunner().invoke(cli, renew).exit_code == 0

    def login(self, role: str) -> Login:
        key = decode_seed(load_credentials(self.file(role)).nats_seed)
        return Login(public_key=encode_public(key), sign=key.sign, inbox_prefix=f"_INBOX.{role}")


@pytest.fixture(scope="module")
def hands(tmp_path_factory: pytest.TempPathFactory) -> Hands:
    """After the first start of all."""
    hands = Hands(tmp_path_factory.mktemp("hands"))
    for name in ("nats", *Hands.roles):
        (hands.folder / "for" / name).mkdir(parents=True)
    new = [line.removesuffix(" is new") for line in hands.run() if line.endswith(" is new")]
    assert new == [str(hands.conf), *(str(hands.file(role)) for role in hands.roles)]
    return hands


def test_each_gets_its_own_and_nats_all_permissions(hands: Hands) -> None:
    for role in hands.roles:
        assert load_credentials(hands.file(role)).opened().role == role
        assert stat.S_IMODE(hands.file(role).stat().st_mode) == 0o400
    assert not (hands.folder / "identity" / "auth.json").exists(), "only who is there"


async def test_what_is_renewed_is_taken_up_without_a_stop(hands: Hands, tmp_path: Path) -> None:
    """The server hears of the new logins while it runs, and lets in who has a new one, and who has still the old."""
    old = hands.login("cache")
    reloading = _ReloadingNats(hands.conf, tmp_path / "server")
    with reloading as server:
        async with _connected(server.url, old) as before:
            hands.renew()
            (hands.folder / "for" / "worker").mkdir()  # a service that came later
            daily = await asyncio.create_subprocess_exec(
                *("sh", HAND_OUT, "daily"),
                env=hands.environment(IDENTITY_PAUSE_S="0.05"),
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                for expected in (hands.conf, *map(hands.file, (*hands.roles, "worker"))):
                    while (said := await asyncio.wait_for(line_of(daily), 20)) and not said.endswith(" is new"):
                        continue
                    assert said == f"{expected} is new"
            finally:
                daily.terminate()
            assert await asyncio.wait_for(_left(daily), 10) == 0, "it is stopped as any container is"
            new = hands.login("cache")
            assert new.public_key != old.public_key

            async def let_in() -> bool | None:
                try:
                    async with _connected(server.url, new) as client:
                        return client.is_connected
                except NatsError:  # it has not looked yet
                    return None

            await eventually(let_in, timeout_s=20, what="the new login")
            assert before.is_connected, "nobody was sent away"
            async with _connected(server.url, old) as again:
                assert again.is_connected


class _ReloadingNats(NatsServer):
    """As the compose file starts it: its configuration is another's file, and is read again when that changes."""

    def __init__(self, conf: Path, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder)
        self._conf = conf

    def prepare(self) -> None: ...

    def command(self) -> list[str]:
        *start, _ = super().command()
        return ["env", "ON_CHANGE_LOOK_S=0.05", "sh", ON_CHANGE, "HUP", str(self._conf), *start, str(self._conf)]


@asynccontextmanager
async def _connected(url: str, login: Login) -> AsyncIterator[Client]:
    client = OrderedClient(login)
    await client.connect(servers=[url], allow_reconnect=False, error_cb=_hear, **client.login_options())
    try:
        yield client
    finally:
        await client.close()


async def _hear(fault: Exception) -> None:
    """What the server says against a login is raised by `connect` as well."""
