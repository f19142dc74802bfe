"""A child whose memory is in other hands asks for what is not its to have."""

from __future__ import annotations

import asyncio
import os
import socket
import sys

import attrs
import pytest

from streamgate.contracts.media import MediaChildFailed
from streamgate.testing.attacks import attack
from streamgate_transcoder.child_process import ChildProcess
from streamgate_transcoder.media.channel import encode_frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.task import ChildTask, SandboxLimits


@attrs.define
class Source:
    descriptor: int | None
    size_bytes: int = 100
    asked: list[tuple[int, int]] = attrs.field(factory=list)

    async def read_at(self, offset: int, length: int) -> bytes:
        self.asked.append((offset, length))
        return b"x" * min(length, 10)


@attack("B31")
@pytest.mark.parametrize(
    ("has_descriptor", "offset", "length"),
    [(True, 0, 1), (False, -1, 10), (False, 0, 1 << 30), (False, 0, -1)],
    ids=["beside its descriptor", "before the beginning", "a gigabyte", "less than nothing"],
)
async def test_reads_that_are_not_its_to_make_end_it(has_descriptor: bool, offset: int, length: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    stderr_read, stderr_write = os.pipe()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import signal; signal.pause()")
    child = ChildProcess(process, ours, stderr_read)
    descriptor = os.open(os.devnull, os.O_RDONLY) if has_descriptor else None
    source = Source(descriptor)

    async def ignore(frame: object) -> None:
        return None

    theirs.sendall(encode_frame({"kind": "read", "offset": offset, "length": length}))
    task = ChildTask(
        task="media.probe",
        payload={},
        source_by="descriptor" if has_descriptor else "reads",
        source_size_bytes=100,
        limits=MediaLimits(),
        sandbox=SandboxLimits(),
    )
    try:
        with pytest.raises(MediaChildFailed):
            await child.serve(task, source, ignore)
        assert source.asked == []
    finally:
        child.kill()
        await child.reap()
        assert not child.is_alive
        theirs.close()
        os.close(stderr_write)
        if descriptor is not None:
            os.close(descriptor)
