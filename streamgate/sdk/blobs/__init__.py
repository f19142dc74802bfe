"""Big bytes, by key: sources, segments, pictures. They never travel by the bus.

blobs = open_blobs(ctx)                                   # one store for the process
collect_units → [*blobs.units(ctx.name), …]               collect_checks → [blobs.check()]

await blobs.put_bytes(f"{lease.blob_prefix}/0.m4s", segment)
async for chunk in blobs.stream(key, start, length): …
"""

from streamgate.sdk.blobs.base import (
    STREAM_CHUNK_BYTES,
    BlobExists,
    BlobIncomplete,
    BlobInfo,
    BlobMissing,
    BlobStat,
    BlobStore,
    PartInfo,
    PartTooLarge,
    StorageFull,
    StoreFault,
    check_key,
)
from streamgate.sdk.blobs.opening import open_blobs

__all__ = [
    "STREAM_CHUNK_BYTES",
    "BlobExists",
    "BlobIncomplete",
    "BlobInfo",
    "BlobMissing",
    "BlobStat",
    "BlobStore",
    "PartInfo",
    "PartTooLarge",
    "StorageFull",
    "StoreFault",
    "check_key",
    "open_blobs",
]
