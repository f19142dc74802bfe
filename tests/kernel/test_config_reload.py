"""New values for a running process: those that may be taken are, the others wait, and a fault changes nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.config import Config, load_config, root_keys
from streamgate.config import reload as reload_module
from streamgate.config.reload import Reloader, Reloads
from streamgate.config.values import keys_of
from streamgate.engine.server import bind
from streamgate.plugins import discover
from streamgate.prepare import RunOptions, prepare
from streamgate.runtime import Process
from streamgate.settings import LogSettings, config_field


@attrs.frozen(kw_only=True)
class ThingSettings:
    """A section with a key of each kind."""

    limit: int = config_field(1, help="May change.", reload=True, validator=attrs.validators.lt(100))
    place: str = config_field("here", help="May not.")


@attrs.frozen
class Room:
    """A configuration file, who reads it, and what was told."""

    path: Path
    reloader: Reloader
    told: list[Any]

    def write(self, text: str) -> None:
        self.path.write_text(text, encoding="utf-8")


def reader(path: Path) -> Callable[[], Config]:
    return partial(load_config, sections={"thing": ThingSettings}, file=path, environment={})


@pytest.fixture
def room(tmp_path: Path) -> Room:
    path = tmp_path / "config.yaml"
    path.write_text("thing:\n  limit: 2\n", encoding="utf-8")
    told: list[Any] = []
    reloads = Reloads()
    reloads.subscribe("thing", told.append)
    reloads.subscribe("log", told.append)
    return Room(path, Reloader(reader(path)(), reader(path), reloads), told)


def test_a_key_that_reloads_is_taken_and_the_rest_of_its_section_stays(room: Room) -> None:
    room.write("thing:\n  limit: 3\n  place: there\n")
    room.reloader.reload()
    assert room.told == [ThingSettings(limit=3, place="here")]


def test_what_waits_stays_so_until_a_start_however_often_the_file_changes(room: Room) -> None:
    room.write("thing:\n  place: there\n  limit: 3\n")
    room.reloader.reload()
    room.write("thing:\n  place: there\n  limit: 4\n")
    room.reloader.reload()
    assert room.told == [ThingSettings(limit=3, place="here"), ThingSettings(limit=4, place="here")]


def test_sections_of_the_kernel_reload_too(room: Room) -> None:
    room.write("thing:\n  limit: 2\nlog:\n  level: DEBUG\n")
    room.reloader.reload()
    assert room.told == [LogSettings(level="DEBUG")]


def test_nothing_new_tells_nobody(room: Room) -> None:
    room.reloader.reload()
    assert room.told == []


@pytest.mark.parametrize("text", ["thing:\n  limit: 1000\nlog:\n  level: DEBUG\n", "thing:\n  limt: 3\n", "thing: ["])
def test_a_fault_changes_nothing(room: Room, text: str) -> None:
    room.write(text)
    room.reloader.reload()
    assert room.told == []


def test_a_taker_that_fails_stops_nobody_else(room: Room, tmp_path: Path) -> None:
    told: list[Any] = []

    def fail(_: Any) -> None:
        raise RuntimeError("no")

    reloads = Reloads()
    reloads.subscribe("thing", fail)
    reloads.subscribe("thing", told.append)
    reloader = Reloader(reader(room.path)(), reader(room.path), reloads)
    room.write("thing:\n  limit: 9\n")
    reloader.reload()
    assert [section.limit for section in told] == [9]


async def test_a_changed_file_is_noticed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload_module, "POLL_S", 0.01)
    await room.reloader.start()
    try:
        room.write("thing:\n  limit: 55\n")
        async with asyncio.timeout(5):
            while not room.told:
                await asyncio.sleep(0.01)
    finally:
        await room.reloader.stop()
    assert room.told == [ThingSettings(limit=55)]


async def test_a_hang_up_signal_reloads_even_what_looks_unchanged(room: Room) -> None:
    await room.reloader.start()
    try:
        stamp = room.path.stat()
        room.write("thing:\n  limit: 7\n")
        os.utime(room.path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            while not room.told:
                await asyncio.sleep(0.01)
    finally:
        await room.reloader.stop()
    assert room.told == [ThingSettings(limit=7)]


async def test_a_terminal_that_is_gone_ends_the_process_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system tells it and the shell: a second SIGTERM would end it at once."""
    monkeypatch.setattr(os, "isatty", lambda _: True)
    terminal = [True, False, False]
    monkeypatch.setattr(reload_module, "_has_terminal", lambda: terminal.pop(0))
    reloader = Reloader(reader(room.path)(), reader(room.path), Reloads())
    ended, is_over = list[int](), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.append, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGUSR1, is_over.set)
    await reloader.start()
    try:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(5):
            while not ended:
                await asyncio.sleep(0.01)
            os.kill(os.getpid(), signal.SIGUSR1)  # behind whatever came before
            await is_over.wait()
    finally:
        await reloader.stop()
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGUSR1)
    assert ended == [signal.SIGTERM]


def test_whoever_declares_that_a_key_reloads_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all installed plugins and the kernel: a declaration nobody acts on would be a promise not kept."""
    bound: list[socket.socket] = []

    def keep(host: str, port: int) -> socket.socket:
        bound.append(bind(host, port))
        return bound[-1]

    monkeypatch.setenv("STREAMGATE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("streamgate.runtime.bind", keep)
    process = Process(prepare(RunOptions(profile="dev", port=0)))
    process.build()
    for each in bound:
        each.close()
    sections = {found.name: found.info.config for found in discover() if found.info and found.info.config}
    declared = [
        name
        for name, key in root_keys(sections).items()
        if key.is_section and any(each.reload for each in keys_of(key.type).values())
    ]
    assert "log" in declared
    assert [name for name in declared if not process.reloads.has_taker(name)] == []
