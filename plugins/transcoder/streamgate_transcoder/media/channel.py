"""The line between a transcoder and its child: frames of JSON and bytes over one socket pair.

    frame = JSON length u32 ‖ data length u32 ‖ JSON ‖ data

From the parent: one `task` (kind, payload, limits, how the source is reached), followed by one marker byte
that carries the source's open descriptor where there is one; then an answer (`bytes`) to each `read`.
From the child: `ready` once, then `read`, `progress`, `init`, `segment`, `picture`, and at last `done` or `fault`,
which say from when to when it worked (`began_ns`, `ended_ns`: Unix time). After `done` another `task` of the same
source may follow.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any

import attrs
import orjson

HEADER = struct.Struct(">II")
LARGEST_JSON_BYTES = 64 << 20
LARGEST_DATA_BYTES = 512 << 20


@attrs.frozen
class Frame:
    head: dict[str, Any]  # JSON: its form depends on head["kind"]
    data: bytes = b""

    @property
    def kind(self) -> str:
        return str(self.head.get("kind", ""))


def encode_frame(head: dict[str, Any], data: bytes = b"") -> bytes:
    text = orjson.dumps(head)
    return b"".join((HEADER.pack(len(text), len(data)), text, data))


def decode_header(header: bytes) -> tuple[int, int]:
    """Lengths of JSON and data; `ValueError` where they are absurd (the child's memory may be in other hands)."""
    text, data = HEADER.unpack(header)
    if text > LARGEST_JSON_BYTES or data > LARGEST_DATA_BYTES:
        raise ValueError("a frame beyond its bounds")
    return text, data


class ChildLine:
    """The child's end: blocking. Any thread may send, one receives. `EOFError` when the parent is gone."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._sending = threading.Lock()

    def send(self, head: dict[str, Any], data: bytes = b"") -> None:
        frame = encode_frame(head, data)
        with self._sending:
            self._line.sendall(frame)

    def receive(self) -> Frame:
        text, data = decode_header(self._exactly(HEADER.size))
        return Frame(orjson.loads(self._exactly(text)), self._exactly(data))

    def receive_descriptor(self) -> int:
        _, descriptors, _, _ = socket.recv_fds(self._line, 1, 1)
        if not descriptors:
            raise EOFError("no descriptor came")
        return descriptors[0]

    def _exactly(self, length: int) -> bytes:
        buffer = bytearray(length)
        view, got = memoryview(buffer), 0
        while got < length:
            read = self._line.recv_into(view[got:])
            if read == 0:
                raise EOFError("the parent has gone")
            got += read
        return bytes(buffer)
