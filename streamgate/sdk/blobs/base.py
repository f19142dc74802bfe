"""What every blob store promises. `streamgate.testing.blob_suite` is the suite each implementation passes.

Keys are `/`-separated words of `A-Z a-z 0-9 . _ -`, none beginning with a dot, at most 512 characters in all. They are
immutable: bytes under a key never change, so whatever was read once may be cached for ever. Putting the same bytes
again is harmless; other bytes are refused. A key is there with all its bytes or not at all.

Once `put`, `put_bytes`, `concatenate` or `finish_multipart` has returned, the bytes survive a power cut; a part that
`write_part` has returned survives kill -9 of this process.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import attrs

from streamgate.errors import Conflict, NotFound, TooLarge, Unavailable
from streamgate.health import Check
from streamgate.lifecycle import Unit

STREAM_CHUNK_BYTES = 256 * 1024
MAX_KEY_CHARS = 512

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class BlobMissing(NotFound):
    code, title = "blobs.missing", "No such object"


class BlobExists(Conflict):
    """Other bytes are under this key already."""

    code, title = "blobs.exists", "The object exists with other bytes"


class BlobIncomplete(Conflict):
    """A multipart object whose size is not what was promised, or whose parts are gone."""

    code, title = "blobs.incomplete", "The object is not whole"


class PartTooLarge(TooLarge):
    """More bytes came than the part may have; what was written of it does not count."""

    code, title = "blobs.part_too_large", "The part is larger than it may be"


class StorageFull(Unavailable):
    """Writing would use the reserve of free space. Nothing of this write counts."""

    code, title = "blobs.full", "The storage is full"


class StoreClosed(Unavailable):
    code, title = "blobs.unavailable", "The blob store is unavailable"


class StoreAway(StoreClosed):
    """It cannot be reached, or fails for a reason of its own: likely to be over soon."""


class StoreFault(Exception):
    """The process cannot start with this store; the message says what to do."""


@attrs.frozen(kw_only=True)
class BlobInfo:
    """What was written: `sha256` is lower-case hex."""

    size_bytes: int
    sha256: str


@attrs.frozen(kw_only=True)
class PartInfo:
    """A part that was written: `sha256` is lower-case hex, or "" where it was not wanted; `tag` is the store's name
    for these bytes, "" where it has none."""

    size_bytes: int
    sha256: str
    tag: str = ""


@attrs.frozen(kw_only=True)
class BlobStat:
    key: str
    size_bytes: int
    modified_at_ms: int


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: it could leave the store, or not every store could hold it.
    """
    if len(key) > MAX_KEY_CHARS or _KEY.fullmatch(key) is None:
        raise ValueError(f"{key[:80]!r} is no blob key")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself: "" (everything) or whole words, ending in `/`.

    Raises:
        ValueError: anything else.
    """
    if prefix and (not prefix.endswith("/") or _KEY.fullmatch(prefix[:-1]) is None):
        raise ValueError(f"{prefix[:80]!r} is no blob prefix; it ends in /")
    return prefix


class BlobStore(Protocol):
    """Usable while its units run, from one event loop. No method blocks the loop."""

    @property
    def min_part_bytes(self) -> int:
        """The least that a part has, but for an object's last one."""

    def units(self, plugin: str) -> list[Unit]:
        """`<plugin>.blobs`: return it in `collect_units`; units that use the store need it."""

    def check(self) -> Check: ...

    # --- whole objects ------------------------------------------------------------------------------

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        """Writes an object as its bytes arrive. If `chunks` raises, nothing is left.

        Raises:
            BlobExists: `blobs.exists`.
            StorageFull: `blobs.full`.
        """

    async def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        """As `put`."""

    async def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, at most `length` of them, fewer where the object ends.

        Raises:
            BlobMissing: `blobs.missing`.
        """

    def stream(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """As `read`, in chunks of at most 256 KiB. Faults come at the first chunk."""

    async def stat(self, key: str) -> BlobStat:
        """Raises BlobMissing."""

    async def exists(self, key: str) -> bool: ...

    async def concatenate(self, key: str, sources: Sequence[str]) -> BlobStat:
        """Makes an object of others (at least one), one after the other; they stay. The bytes do not come through
        this process where the store can do without. Making it again is harmless.

        Raises:
            BlobMissing: `blobs.missing`, one of them.
            BlobExists, StorageFull: as `put`.
        """

    async def delete(self, key: str) -> None:
        """Removing what is not there does nothing."""

    async def delete_prefix(self, prefix: str) -> int:
        """Removes everything below a prefix that is not empty; returns how many objects there were."""

    def list(self, prefix: str = "") -> AsyncIterator[BlobStat]:
        """Everything below a prefix, in the store's own order."""

    def local_path(self, key: str) -> Path | None:
        """The object's file, for sendfile and the like; None where there are no files. Whether it exists is not
        looked at. Never write to it."""

    async def signed_url(self, key: str, *, method: Literal["GET", "PUT"], expires_s: int) -> str | None:
        """An address that lets whoever has it do this once or more until it expires; None where the store is not
        reached by HTTP (files)."""

    # --- objects in parts: uploads -------------------------------------------------------------------

    async def begin_multipart(self, key: str) -> str:
        """Opens an object that is written in parts, in any order, over restarts. Returns its token; keep it with
        the key. It exists until `finish_multipart` or `abort_multipart`.

        Raises:
            StorageFull: `blobs.full`.
        """

    async def write_part(
        self,
        key: str,
        token: str,
        number: int,
        offset: int,
        chunks: AsyncIterable[bytes],
        *,
        limit_bytes: int | None = None,
        want_sha256: bool = True,
    ) -> PartInfo:
        """Writes one part; again under the same number replaces it. Parts may be written side by side.

        Args:
            number: from 1, in the order of offsets.
            offset: where it begins in the object. Parts other than the last have one size, at least
                `min_part_bytes`.
            limit_bytes: more than that is refused before it can touch the next part.

        Raises:
            PartTooLarge: `blobs.part_too_large`.
            StorageFull: `blobs.full`.
            BlobIncomplete: the token is not known (finished or aborted).
        """

    async def finish_multipart(
        self,
        key: str,
        token: str,
        size_bytes: int,
        *,
        tags: Mapping[int, str] | None = None,
        is_cut: bool = False,
    ) -> BlobStat:
        """Makes the object appear under its key. Finishing again is harmless.

        Args:
            tags: of the parts that are meant, by number. Some stores cannot tell without them which bytes of a part
                that was written more than once are the last.
            is_cut: parts past `size_bytes` were written in vain, and are left out.

        Raises:
            BlobIncomplete: `blobs.incomplete`, it is not `size_bytes` long.
            BlobExists: `blobs.exists`.
        """

    async def abort_multipart(self, key: str, token: str) -> None:
        """Removes the parts. Aborting again, or what is finished, does nothing."""
