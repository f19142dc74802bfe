"""What came of a tus upload past its last whole chunk: small blobs, one for each request that ended there.

S3 takes no part that is too small and gives none back, so such bytes wait beside the upload until their chunk is whole.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator

import attrs

from streamgate.sdk.blobs import BlobStore

PIECES_MAX = 64
"""With more than so many they are written together as one, so that small requests do not make them endless."""


def prefix_of(upload_id: str) -> str:
    return f"tails/{upload_id}/"


@attrs.frozen
class Tail:
    """The keys of the pieces, in order, and their sizes. `text` is how the row keeps them."""

    pieces: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Tail:
        pairs = (word.rpartition(":") for word in text.split())
        return cls(tuple((key, int(size)) for key, _, size in pairs))

    @property
    def text(self) -> str:
        return " ".join(f"{key}:{size_bytes}" for key, size_bytes in self.pieces)

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes for _, size_bytes in self.pieces)

    async def read(self, blobs: BlobStore) -> AsyncIterator[bytes]:
        for key, _ in self.pieces:
            async for piece in blobs.stream(key):
                yield piece

    async def remove(self, blobs: BlobStore) -> None:
        for key, _ in self.pieces:
            await blobs.delete(key)


async def keep(blobs: BlobStore, upload_id: str, data: bytes) -> tuple[str, int]:
    """Stores a piece. What a crash leaves without a row goes with the upload."""
    key = f"{prefix_of(upload_id)}{secrets.token_hex(8)}"
    await blobs.put_bytes(key, data)
    return key, len(data)
