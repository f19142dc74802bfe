"""Files handed to real children under their real limits, without the 0.3 s of imports that each spawned one takes.

A stem process imports once what children import, and forks one for each task; from there on everything is as it is in
production: the line, the descriptor that is passed, the resource limits, the system call filter.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs

from streamgate.contracts.media import (
    AUDIO_KIND,
    CHUNK_KIND,
    COPY_KIND,
    PROBE_KIND,
    MediaPlan,
    MediaSource,
    ProbePayload,
    ProbeResult,
)
from streamgate.wire import from_plain, to_plain
from streamgate_transcoder.media.channel import ChildLine, Frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.profiles import WEB, Profile
from streamgate_transcoder.media.task import AudioTask, ChildTask, ChunkTask, CopyTask, ProbeTask, SandboxLimits

LONGEST_S = 20.0
"""Of one task: far above what any file here needs."""

_STEM = """
import os, socket, struct, sys, traceback
from streamgate_transcoder.media import child
from streamgate_transcoder.media.channel import ChildLine
child._rehearse()
calls = socket.socket(fileno=int(sys.argv[1]))
while True:
    message, lines, _, _ = socket.recv_fds(calls, 1, 1)
    if not message:
        break
    pid = os.fork()
    if pid == 0:
        calls.close()
        try:
            child.serve(ChildLine(socket.socket(fileno=lines[0])))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(lines[0])
    calls.sendall(struct.pack("i", os.waitpid(pid, 0)[1]))
"""


class ChildDied(Exception):
    """It ended without an answer: a crash of libav, or an error of ours that nobody caught."""


@attrs.define
class Outcome:
    """What became of one file: `code` where it was refused, else everything that was made of it."""

    code: str = ""
    detail: str = ""
    plan: MediaPlan | None = None
    inits: dict[str, bytes] = attrs.field(factory=dict)
    segments: dict[str, dict[int, bytes]] = attrs.field(factory=dict)

    def file(self, rendition_id: str) -> bytes:
        parts = self.segments[rendition_id]
        return self.inits[rendition_id] + b"".join(parts[n] for n in sorted(parts))


class Children:
    """The stem, and what is asked of it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._calls = ours
        with theirs:
            self._stem = subprocess.Popen(
                [sys.executable, "-P", "-c", _STEM, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stderr=subprocess.PIPE,
            )

    def __enter__(self) -> Children:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._calls.close()
        self._stem.wait(LONGEST_S)
        if self._stem.stderr is not None:
            self._stem.stderr.close()

    def handle(self, path: Path, *, may_copy: bool = False, profile: Profile = WEB) -> Outcome:
        """The way of a file through the transcoder: probe, what is cut from the source, each chunk, the sound."""
        outcome = Outcome()
        size_bytes = path.stat().st_size
        answer = self._run(probe_task(size_bytes, may_copy=may_copy, profile=profile), path, outcome)
        if outcome.code:
            return outcome
        plan = outcome.plan = from_plain(ProbeResult, answer).plan
        copied = tuple(rendition.id for rendition in plan.renditions if rendition.mode == "copy")
        if copied:
            cut = CopyTask(plan=plan, rendition_ids=copied, seg_from=0, seg_to=len(plan.video_grid) - 1)
            self._run(_task(COPY_KIND, cut, size_bytes), path, outcome)
        for chunk in plan.chunks:
            self._run(_task(CHUNK_KIND, ChunkTask(plan=plan, chunk_n=chunk.n), size_bytes), path, outcome)
        for rendition in plan.renditions:
            if rendition.kind == "audio" and rendition.mode == "encode":
                work = AudioTask(plan=plan, rendition_id=rendition.id)
                self._run(_task(AUDIO_KIND, work, size_bytes), path, outcome)
        return outcome

    def _run(self, task: ChildTask, path: Path, outcome: Outcome) -> dict[str, Any]:
        """The result of one task; {} where the child refused, which the outcome then says."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(LONGEST_S)
            socket.send_fds(self._calls, [b"\0"], [theirs.fileno()])
            theirs.close()
            with path.open("rb") as source:
                line = ChildLine(ours)
                line.send({"kind": "task", "task": to_plain(task)})
                socket.send_fds(ours, [b"\0"], [source.fileno()])
            result = _listen(line, outcome)
        (status,) = struct.unpack("i", self._calls.recv(4))
        if result is None or status != 0:
            how = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit code {status >> 8}"
            raise ChildDied(f"{how} while at {task.task}: {self._last_words()}")
        return result

    def _last_words(self) -> str:
        assert self._stem.stderr is not None
        os.set_blocking(self._stem.stderr.fileno(), False)
        try:
            return os.read(self._stem.stderr.fileno(), 1 << 16)[-2000:].decode(errors="replace")
        except BlockingIOError:
            return ""


def probe_task(size_bytes: int, *, may_copy: bool = False, profile: Profile = WEB) -> ChildTask:
    wanted = ProbePayload(
        content_id="c_1",
        media_version=1,
        source=MediaSource(key="s", size_bytes=size_bytes),
        copies_prefix="copies" if may_copy else "",
    )
    return _task(PROBE_KIND, ProbeTask(wanted=wanted, profile=profile), size_bytes)


def _task(kind: str, payload: Any, size_bytes: int) -> ChildTask:
    return ChildTask(
        task=kind,
        payload=to_plain(payload),
        source_by="descriptor",
        source_size_bytes=size_bytes,
        limits=MediaLimits(),
        sandbox=SandboxLimits(niceness=0, cpu_s=int(LONGEST_S)),
    )


def _listen(line: ChildLine, outcome: Outcome) -> dict[str, Any] | None:
    while True:
        try:
            frame: Frame = line.receive()
        except (EOFError, ConnectionError):
            return None
        match frame.kind:
            case "done":
                return dict(frame.head["result"])
            case "fault":
                outcome.code, outcome.detail = frame.head["code"], frame.head["detail"]
                return {}
            case "init":
                outcome.inits[frame.head["rendition_id"]] = frame.data
            case "segment":
                made = outcome.segments.setdefault(frame.head["rendition_id"], {})
                made[frame.head["n"]] = frame.data
