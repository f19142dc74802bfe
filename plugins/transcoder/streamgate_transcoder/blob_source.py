"""A source in the blob store, as children get it: an open file where there is one, else ranged reads."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from streamgate.sdk.blobs import BlobMissing, BlobStore


@attrs.frozen
class BlobSource:
    """See `child_process.ReadableSource`."""

    blobs: BlobStore
    key: str
    size_bytes: int
    descriptor: int | None

    async def read_at(self, offset: int, length: int) -> bytes:
        return await self.blobs.read(self.key, offset, length)


@asynccontextmanager
async def open_blob_source(blobs: BlobStore, key: str) -> AsyncIterator[BlobSource]:
    """Raises BlobMissing (`blobs.missing`): the source is gone."""
    stat = await blobs.stat(key)
    path = blobs.local_path(key)
    descriptor: int | None = None
    if path is not None:
        try:
            descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY)
        except FileNotFoundError as error:
            raise BlobMissing("the source is gone") from error
    try:
        yield BlobSource(blobs, key, stat.size_bytes, descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)
