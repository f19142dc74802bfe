"""How an upload is cut into chunks: all of one size, but the last, which has what is left."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from streamgate.contracts.uploads import ChunkInvalid
from streamgate.errors import FieldError

MEBIBYTE = 1024 * 1024
CHUNKS_MAX = 10_000  # S3's limit on the parts of one object
CHUNK_MIN_BYTES = 64 * 1024  # below that a chunk costs more to acknowledge than to write


@attrs.frozen
class Chunks:
    """The cut of an upload of `size_bytes` (≥ 1) into chunks of `chunk_size_bytes`."""

    size_bytes: int
    chunk_size_bytes: int

    @property
    def count(self) -> int:
        return -(-self.size_bytes // self.chunk_size_bytes)

    def length_bytes(self, index: int) -> int:
        """Raises ChunkInvalid for an index outside 0 … count - 1."""
        if not 0 <= index < self.count:
            said = f"Chunk {index} does not exist: the upload has chunks 0 to {self.count - 1}"
            raise ChunkInvalid(said, errors=(FieldError("index", said),))
        return min(self.chunk_size_bytes, self.size_bytes - index * self.chunk_size_bytes)

    def missing(self, received: Collection[int]) -> tuple[int, ...]:
        """In ascending order."""
        have = set(received)
        return tuple(index for index in range(self.count) if index not in have)

    def received_bytes(self, received: Collection[int]) -> int:
        return sum(self.length_bytes(index) for index in set(received))


def cut(size_bytes: int, wanted_chunk_bytes: int) -> Chunks:
    """Chunks of the wanted size, or of as many whole MiB more as CHUNKS_MAX asks for."""
    needed_bytes = -(-size_bytes // CHUNKS_MAX)
    if needed_bytes > wanted_chunk_bytes:
        return Chunks(size_bytes, -(-needed_bytes // MEBIBYTE) * MEBIBYTE)
    return Chunks(size_bytes, wanted_chunk_bytes)
