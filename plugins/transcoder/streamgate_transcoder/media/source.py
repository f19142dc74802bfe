"""A source's bytes as a file object that libav reads: by a passed descriptor, or asked for range by range."""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

_BLOCK_BYTES = 1 << 20
_BLOCKS_KEPT = 16


class RangedBytes(Protocol):
    """Random access to an immutable object. `read_at` may answer short only at the end of the object."""

    size_bytes: int

    def read_at(self, offset: int, length: int) -> bytes: ...


class DescriptorBytes:
    """Reads an open file by `pread`: no path is known here, and none is needed. Does not own the descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = os.fstat(descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)


class AskedBytes:
    """Reads through a question to somebody else (the parent process), in blocks that are kept for a while."""

    def __init__(self, size_bytes: int, ask: Callable[[int, int], bytes]) -> None:
        self.size_bytes = size_bytes
        self._ask = ask
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def read_at(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size_bytes)
        parts = []
        while offset < end:
            number, within = divmod(offset, _BLOCK_BYTES)
            part = self._block(number)[within : within + end - offset]
            if not part:
                break
            parts.append(part)
            offset += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        block = self._blocks.get(number)
        if block is None:
            start = number * _BLOCK_BYTES
            block = self._ask(start, min(_BLOCK_BYTES, self.size_bytes - start))
            self._blocks[number] = block
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block


class SourceFile:
    """What `av.open` is given: read, seek and tell over `RangedBytes`. It has no name and cannot be reopened."""

    def __init__(self, source: RangedBytes) -> None:
        self._source = source
        self._at = 0

    def read(self, length: int = -1) -> bytes:
        left = self._source.size_bytes - self._at
        data = self._source.read_at(self._at, left if length < 0 else min(length, left)) if left > 0 else b""
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size_bytes}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at
