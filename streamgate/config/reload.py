"""New values for a running process: on SIGHUP, or when a configuration file changed.

Keys that declare it (`config_field(…, reload=True)`) are taken at once, the others named: they wait for a start. A
configuration with a fault changes nothing. Where the terminal is gone that the process was started at, SIGHUP tells
that, and ends it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
from loguru import logger

from streamgate.config import Config, ConfigFaults
from streamgate.config.changes import changes

POLL_S = 2.0  # how often the files are looked at

Taker = Callable[[Any], None]


@attrs.define
class Reloads:
    """Who hears of new values. One for the process."""

    _takers: dict[str, list[Taker]] = attrs.field(factory=dict)

    def subscribe(self, section: str, taker: Taker) -> None:
        """`taker` is given the whole new section, an instance of its class. It is called in the event loop and must
        be quick; a fault in it is logged and stops nobody else."""
        self._takers.setdefault(section, []).append(taker)

    def has_taker(self, section: str) -> bool:
        return bool(self._takers.get(section))

    def tell(self, section: str, value: Any) -> None:
        for taker in self._takers.get(section, ()):
            try:
                taker(value)
            except Exception:
                logger.bind(section=section).exception("a new configuration was not taken")


class Reloader:
    """A unit. Reads the layers again when asked to, and tells `reloads` what is new."""

    name = "reload"
    needs: tuple[str, ...] = ()

    def __init__(self, running: Config, read: Callable[[], Config], reloads: Reloads) -> None:
        self._running = dict(running.groups())
        self._files = [Path(name) for name in running.files]
        self._read = read
        self._reloads = reloads
        self._watching: asyncio.Task[None] | None = None
        self._seen = self._stamps()
        self._is_at_terminal = any(map(os.isatty, (0, 2))) and _has_terminal()
        self._is_ending = False

    async def start(self) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        self._watching = asyncio.create_task(self._watch(), name=self.name)

    async def stop(self) -> None:
        # A second one would cut short what still drains.
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])

    def _hang_up(self) -> None:
        if not self._is_at_terminal or _has_terminal():
            self.reload()
        elif not self._is_ending:  # the system tells it, and the shell
            self._is_ending = True
            logger.info("the terminal is gone")
            os.kill(os.getpid(), signal.SIGTERM)

    def reload(self) -> None:
        """Never raises: what is wrong is logged, and everything stays as it was."""
        self._seen = self._stamps()
        try:
            found = changes(self._running, self._read())
        except ConfigFaults as fault:
            for line in fault.faults:
                logger.error(f"configuration not reloaded: {line}")
            return
        except ValueError as fault:
            logger.error(f"configuration not reloaded: {fault}")
            return
        self._running.update(found.sections)
        for section, value in found.sections.items():
            self._reloads.tell(section, value)
        logger.bind(taken=", ".join(found.taken) or "nothing").info("configuration reloaded")
        if found.waiting:
            logger.bind(keys=", ".join(found.waiting)).warning("these keys wait for the next start")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if self._stamps() != self._seen:
                self.reload()

    def _stamps(self) -> Sequence[tuple[int, int] | None]:
        """When each file was written and how long it is; None for one that is gone."""
        return [_stamp(path) for path in self._files]


def _has_terminal() -> bool:
    """Whether this process belongs to a terminal that is there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
