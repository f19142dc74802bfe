"""One child process seen from the transcoder: started, given one task, watched, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import attrs
import orjson
from loguru import logger

import streamgate
from streamgate.context import current_call
from streamgate.contracts.media import MediaChildFailed, MediaTooLarge
from streamgate.errors import error_from_wire
from streamgate.telemetry.tracing import note_span
from streamgate.wire import to_plain

from .media.channel import HEADER, Frame, decode_header, encode_frame
from .media.task import ChildTask

_LINE_BUFFER_BYTES = 4 << 20
_LARGEST_READ_BYTES = 16 << 20
_STDERR_TAIL_BYTES = 64 << 10
_LAST_WORDS_S = 5.0
_LOGGED_CHARS = 2_000
_LEAST_OF_BOUNDS = 0.1
"""Of its processor time: a child that has used more is not given another task."""

_KEEPS_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_ARENA_MAX": "2",
}
"""Told to glibc: what one picture took, the next one gets. Else each is cleared by the kernel anew, which takes 4 % of
the time of an encode. Nor has each thread 64 MiB of the address space for itself, which is bounded."""

OnFrame = Callable[[Frame], Awaitable[None]]


class ReadableSource(Protocol):
    """The source of one task. `descriptor` is an open file where the bytes are on this machine, else None."""

    @property
    def size_bytes(self) -> int: ...

    @property
    def descriptor(self) -> int | None: ...

    async def read_at(self, offset: int, length: int) -> bytes: ...


class ChildProcess:
    """A spawned (never forked) interpreter that serves one task, and perhaps further ones of the same source."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket, stderr: int) -> None:
        self._process = process
        self._line = line
        self._stderr = stderr
        self._first: ChildTask | None = None  # the one its sandbox was closed for
        self._worked_s = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def spawn(cls) -> ChildProcess:
        """Starts an interpreter with nothing of this process but its end of the line; it imports on its own time."""
        ours, theirs = socket.socketpair()
        stderr_read, stderr_write = os.pipe()
        try:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LINE_BUFFER_BYTES)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-s", "-m", "streamgate_transcoder.media.child", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr_write,
                pass_fds=(theirs.fileno(),),
                env=bare_environment(),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            os.close(stderr_read)
            raise
        finally:
            theirs.close()
            os.close(stderr_write)
        ours.setblocking(False)
        return cls(process, ours, stderr_read)

    def may_go_on_with(self, task: ChildTask) -> bool:
        """Whether a task after its first, of the same source, would be done as in a new child: its bounds are those of
        the first one, and what it has used of them is not worth telling."""
        first = self._first
        return (
            first is not None
            and self.is_alive
            and (first.sandbox, first.source_by) == (task.sandbox, task.source_by)
            and first.threads >= task.threads
            and self._worked_s * (1 + first.threads) < _LEAST_OF_BOUNDS * first.sandbox.cpu_s
        )

    async def serve(self, task: ChildTask, source: ReadableSource, on_frame: OnFrame) -> dict[str, Any]:
        """Runs the task; `on_frame` gets `init`, `segment`, `picture` and `progress` frames in order, one at a time.

        Raises:
            MediaError: what the child found, as its own class.
            MediaTooLarge: it used up its processor time.
            MediaChildFailed: the child died; worth another attempt.
        """
        step = _ChildStep(task.task, self.pid)
        began_s = time.monotonic()
        try:
            result = await self._serve(task, source, on_frame, step)
        except BaseException as fault:
            step.note(fault)
            raise
        step.note()
        self._worked_s += time.monotonic() - began_s
        return result

    async def _serve(
        self, task: ChildTask, source: ReadableSource, on_frame: OnFrame, step: _ChildStep
    ) -> dict[str, Any]:
        descriptor, is_first = source.descriptor, self._first is None
        self._first = self._first or task
        if descriptor is not None and not is_first:
            task = attrs.evolve(task, source_by="same")
        try:
            await self._send({"kind": "task", "task": to_plain(task)})
            if descriptor is not None and is_first:
                await self._send_descriptor(descriptor)
            while True:
                frame = await self._receive()
                match frame.kind:
                    case "done":
                        step.said(frame)
                        return dict(frame.head["result"])
                    case "fault":
                        step.said(frame)
                        code, detail = str(frame.head["code"]), str(frame.head["detail"])
                        raise error_from_wire({"code": code, "status": 422, "detail": detail})
                    case "read":
                        offset, length = int(frame.head["offset"]), int(frame.head["length"])
                        if descriptor is not None or offset < 0 or not 0 <= length <= _LARGEST_READ_BYTES:
                            raise ValueError("it asked for bytes that are not its to ask for")
                        await self._send({"kind": "bytes"}, await source.read_at(offset, length))
                    case "ready":
                        continue
                    case _:
                        await on_frame(frame)
        except ValueError as error:  # a frame that makes no sense: its memory may be in other hands
            self.kill()
            raise MediaChildFailed(f"the process for {task.task} spoke nonsense") from error
        except (EOFError, ConnectionError) as error:
            said = await self._last_words(task)
            if self._process.returncode == -signal.SIGXCPU:  # as many attempts would take as long
                limit_s = task.sandbox.cpu_s
                raise MediaTooLarge(f"it needs more than the {limit_s} s of processor time allowed") from error
            raise MediaChildFailed(said) from error

    def kill(self) -> None:
        """Ends it at once; harmless when it has ended."""
        if self.is_alive:
            self._process.kill()

    async def reap(self) -> None:
        """Waits for its end (call `kill` first) and lets go of everything."""
        await self._process.wait()
        self._line.close()
        if self._stderr >= 0:
            os.close(self._stderr)
            self._stderr = -1

    async def _send(self, head: dict[str, Any], data: bytes = b"") -> None:
        await asyncio.get_running_loop().sock_sendall(self._line, encode_frame(head, data))

    async def _send_descriptor(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                socket.send_fds(self._line, [b"\0"], [descriptor])
                return
            except BlockingIOError:
                writable: asyncio.Future[None] = loop.create_future()
                loop.add_writer(self._line, _settle, writable)
                try:
                    await writable
                finally:
                    loop.remove_writer(self._line)

    async def _receive(self) -> Frame:
        text, data = decode_header(await self._exactly(HEADER.size))
        return Frame(orjson.loads(await self._exactly(text)), await self._exactly(data))

    async def _exactly(self, length: int) -> bytes:
        buffer = bytearray(length)
        view, got = memoryview(buffer), 0
        loop = asyncio.get_running_loop()
        while got < length:
            read = await loop.sock_recv_into(self._line, view[got:])
            if read == 0:
                raise EOFError("the child has ended")
            got += read
        return bytes(buffer)

    async def _last_words(self, task: ChildTask) -> str:
        """How the child ended, once its end of the line is closed; not for long if it does not end."""
        try:
            code = await asyncio.wait_for(self._process.wait(), _LAST_WORDS_S)
        except TimeoutError:
            self.kill()
            code = await self._process.wait()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        os.set_blocking(self._stderr, False)
        try:
            said = os.read(self._stderr, _STDERR_TAIL_BYTES).decode(errors="replace").strip()
        except BlockingIOError:
            said = ""
        logger.bind(pid=self.pid, task=task.task, how=how, said=said[-_LOGGED_CHARS:]).warning("child died")
        last_line = said.splitlines()[-1] if said else ""
        return f"the process for {task.task} ended by {how}" + (f": {last_line}" if last_line else "")


class _ChildStep:
    """A child's work as a step of the current call's trace. The child has no way to tell a collector itself."""

    def __init__(self, task: str, pid: int) -> None:
        self._task = task
        self._pid = pid
        self._sent_ns = time.time_ns()
        self._worked_ns: tuple[int, int] | None = None

    def said(self, frame: Frame) -> None:
        """Its own times, as far as they can be true: its memory may be in other hands."""
        began_ns, ended_ns = frame.head.get("began_ns"), frame.head.get("ended_ns")
        if not isinstance(began_ns, int) or not isinstance(ended_ns, int):
            return
        if self._sent_ns <= began_ns <= ended_ns <= time.time_ns():
            self._worked_ns = (began_ns, ended_ns)

    def note(self, fault: BaseException | str = "") -> None:
        began_ns, ended_ns = self._worked_ns or (self._sent_ns, time.time_ns())
        note_span(
            f"child {self._task}",
            "internal",
            current_call().traceparent,
            start_ns=began_ns,
            end_ns=ended_ns,
            attributes={"process.pid": self._pid, "streamgate.times_by": "child" if self._worked_ns else "parent"},
            error=fault,
        )


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def bare_environment() -> dict[str, str]:
    """Where to import from, and nothing of this process' environment (which may hold secrets)."""
    places = dict.fromkeys(str(Path(module).parent.parent) for module in (__file__, streamgate.__file__ or ""))
    return {
        "PYTHONPATH": os.pathsep.join(places),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LC_ALL": "C.UTF-8",
        **_KEEPS_MEMORY,
    }
