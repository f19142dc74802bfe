"""Where the bytes of a part wait until it is whole: in memory while there is room for it, else in a file.

S3 takes a part only with its length, and clients send as slowly as they like. The room is one for the store, so that
many senders cost disk, not memory.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO

BATCH_BYTES = 1024 * 1024


class Room:
    """A number of bytes that may be in memory at once."""

    def __init__(self, limit_bytes: int) -> None:
        self._left_bytes = limit_bytes

    @property
    def left_bytes(self) -> int:
        return self._left_bytes

    def take(self, size_bytes: int) -> bool:
        """Whether there was room for them."""
        if size_bytes > self._left_bytes:
            return False
        self._left_bytes -= size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        self._left_bytes += size_bytes


class Spool:
    """Bytes that grow until they are taken. Close it, whatever happens."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._pieces: list[bytes] = []
        self._pieces_bytes = 0
        self._file: IO[bytes] | None = None
        self.size_bytes = 0

    async def add(self, piece: bytes) -> None:
        while not self._room.take(len(piece)):
            if not self._pieces:
                self._pieces.append(piece)  # larger than what is left for all: straight to the file
                self.size_bytes += len(piece)
                await self._spill()
                return
            await self._spill()
        self._pieces.append(piece)
        self._pieces_bytes += len(piece)
        self.size_bytes += len(piece)
        if self._file is not None and self._pieces_bytes >= BATCH_BYTES:
            await self._spill()

    async def take(self) -> bytes:
        """All of it, in memory."""
        if self._file is None:
            return b"".join(self._pieces)
        await self._spill()
        return await asyncio.to_thread(_read, self._file)

    def close(self) -> None:
        self._room.give_back(self._pieces_bytes)
        self._pieces, self._pieces_bytes = [], 0
        if self._file is not None:
            self._file.close()

    async def _spill(self) -> None:
        """From now on into a file, without a name."""
        if self._file is None:
            self._file = await asyncio.to_thread(_make_file)
        file = self._file
        pieces, self._pieces = self._pieces, []
        try:
            await asyncio.to_thread(file.write, b"".join(pieces))
        finally:
            self._room.give_back(self._pieces_bytes)
            self._pieces_bytes = 0


def _make_file() -> IO[bytes]:
    return tempfile.TemporaryFile(prefix="streamgate-")


def _read(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
