"""Blobs as files.

    <root>/<key>                     an object; written elsewhere, fsynced, then linked here under its name
    <root>/.incoming/<random>        objects on their way (a crash leaves them; the next start removes old ones)
    <root>/.parts/<token>            multipart objects: one file, each part written at its offset, so that finishing
                                     copies nothing
    <root>/.streamgate-store         the store's id (`agreement.py`)

Owned by one user; files are 0640. All file calls run in a thread pool of the store's own.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from streamgate.health import Check
from streamgate.lifecycle import SimpleUnit, Unit
from streamgate.sdk.blobs import files
from streamgate.sdk.blobs.agreement import Agreement
from streamgate.sdk.blobs.base import (
    STREAM_CHUNK_BYTES,
    BlobIncomplete,
    BlobInfo,
    BlobMissing,
    BlobStat,
    PartInfo,
    PartTooLarge,
    StoreClosed,
    StoreFault,
    check_key,
    check_prefix,
)
from streamgate.sdk.shared import SharedUse

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 8
BATCH_BYTES = 1024 * 1024
"""Received bytes are handed to a thread in batches of this size: fewer hops, and still little memory."""
LIST_BATCH = 500
COPY_BYTES = 64 * 1024 * 1024
"""What a thread copies from file to file before it looks whether that is still wanted."""
STALE_S = 24 * 3600
_TOKEN = re.compile(r"[0-9a-f]{32}")


class DiskStore:
    """See `BlobStore`.

    Args:
        agreement: asked at the start where other processes use the same folder.
    """

    min_part_bytes = 1

    def __init__(self, root: Path, *, reserve_bytes: int, agreement: Agreement | None = None) -> None:
        self.root = root
        self._incoming = root / ".incoming"
        self._parts = root / ".parts"
        self._reserve_bytes = reserve_bytes
        self._agreement = agreement
        self._pool: ThreadPoolExecutor | None = None
        self._use = SharedUse(self.open, self.close)

    # --- life ---------------------------------------------------------------------------------------

    def units(self, plugin: str) -> list[Unit]:
        return [SimpleUnit(f"{plugin}.blobs", self._use.acquire, self._use.release, needs=("bus",))]

    def check(self) -> Check:
        return Check("blobs", self._probe)

    async def open(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="blobs")
        try:
            await self._run(self._prepare)
            if self._agreement is not None:
                await self._agreement.start()
        except OSError as fault:
            await self.close()
            raise StoreFault(f"blobs: {self.root} cannot be used: {fault.strerror}") from fault
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        if self._agreement is not None:
            await self._agreement.stop()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def _prepare(self) -> None:
        for folder in (self.root, self._incoming, self._parts):
            files.make_folder(folder)
        if not os.access(self._incoming, os.W_OK | os.X_OK):
            raise PermissionError(13, "it cannot be written")
        for left in self._incoming.iterdir():
            if time.time() - left.stat().st_mtime > STALE_S:
                left.unlink(missing_ok=True)

    async def _probe(self) -> str:
        """A full disk is told, but still serves what it holds."""
        room = await self._run(shutil.disk_usage, self._incoming)
        state = "" if room.free > self._reserve_bytes else ", writing is refused"
        return f"{room.free // 2**20} MiB free{state}"

    async def _run(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs in a thread, and is over when the thread is done with it, even if nobody wants the answer any more:
        what comes after may close the file."""
        if self._pool is None:
            raise StoreClosed("the blob store is closed")
        work = asyncio.get_running_loop().run_in_executor(self._pool, partial(fn, *args, **kwargs))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait({work})
            work.exception()
            raise

    # --- whole objects ------------------------------------------------------------------------------

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> BlobInfo:
        final, temporary = self._path(key), self._temporary()
        writer = self._writer(temporary)
        try:
            await self._run(writer.open, create=True)
            await self._pour(writer, chunks, None)
            await self._run(_keep, writer, final)
        except BaseException:
            writer.close()
            temporary.unlink(missing_ok=True)
            raise
        return writer.info()

    async def put_bytes(self, key: str, data: bytes) -> BlobInfo:
        return await self._run(self._put_now, self._path(key), data)

    def _put_now(self, final: Path, data: bytes) -> BlobInfo:
        writer = self._writer(self._temporary())
        try:
            writer.open(create=True)
            writer.write([data])
            _keep(writer, final)
        except BaseException:
            writer.close()
            writer.path.unlink(missing_ok=True)
            raise
        return writer.info()

    def _temporary(self) -> Path:
        return self._incoming / secrets.token_hex(16)

    def _writer(self, path: Path, offset: int = 0, *, want_sha256: bool = True) -> files.FileWriter:
        return files.FileWriter(path, offset, reserve_bytes=self._reserve_bytes, want_sha256=want_sha256)

    async def read(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        return await self._run(files.read_whole, self._path(key), start, length)

    async def stream(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        descriptor = await self._run(files.open_for_reading, self._path(key))
        try:
            ends_at = os.fstat(descriptor).st_size if length is None else start + length
            while start < ends_at:
                chunk = await self._run(files.read_at, descriptor, start, min(STREAM_CHUNK_BYTES, ends_at - start))
                if not chunk:
                    return
                start += len(chunk)
                yield chunk
        finally:
            os.close(descriptor)

    async def stat(self, key: str) -> BlobStat:
        return await self._run(_stat, self._path(key), key)

    async def exists(self, key: str) -> bool:
        return await self._run(self._path(key).is_file)

    async def concatenate(self, key: str, sources: Sequence[str]) -> BlobStat:
        final, temporary = self._path(key), self._temporary()
        try:
            for source in map(self._path, sources):
                start = 0
                while done := await self._run(
                    files.append_range, source, start, temporary, COPY_BYTES, self._reserve_bytes
                ):
                    start += done
            await self._run(files.sync_file, temporary)
            await self._run(files.publish, temporary, final)
        finally:
            temporary.unlink(missing_ok=True)
        return await self.stat(key)

    async def delete(self, key: str) -> None:
        await self._run(files.remove, self._path(key), self.root)

    async def delete_prefix(self, prefix: str) -> int:
        if not check_prefix(prefix):
            raise ValueError("an empty prefix would remove everything")
        return await self._run(files.remove_tree, self.root / prefix, self.root)

    async def list(self, prefix: str = "") -> AsyncIterator[BlobStat]:
        walk = files.walk(self.root / check_prefix(prefix))
        while batch := await self._run(self._stats, walk):
            for found in batch:
                yield found

    def _stats(self, walk: Iterator[os.DirEntry[str]]) -> tuple[BlobStat, ...]:
        found: list[BlobStat] = []
        for entry in walk:
            with suppress(FileNotFoundError):  # deleted meanwhile
                found.append(_stat_of(str(Path(entry.path).relative_to(self.root)), entry.stat()))
            if len(found) >= LIST_BATCH:
                break
        return tuple(found)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    async def signed_url(self, key: str, *, method: Literal["GET", "PUT"], expires_s: int) -> str | None:
        check_key(key)
        return None

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    # --- objects in parts ---------------------------------------------------------------------------

    async def begin_multipart(self, key: str) -> str:
        check_key(key)
        token = secrets.token_hex(16)
        await self._run(self._begin_now, self._parts / token)
        return token

    def _begin_now(self, path: Path) -> None:
        files.check_room(path, 0, self._reserve_bytes)
        path.touch(0o640, exist_ok=False)

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
        check_key(key)
        if number < 1 or offset < 0:
            raise ValueError(f"part {number} at {offset}: parts count from 1, offsets from 0")
        writer = self._writer(self._part_path(token), offset, want_sha256=want_sha256)
        try:
            await self._run(writer.open, create=False)
            await self._pour(writer, chunks, limit_bytes)
        except FileNotFoundError as fault:
            raise BlobIncomplete("this upload is finished or was aborted") from fault
        finally:
            writer.close()
        info = writer.info()
        return PartInfo(size_bytes=info.size_bytes, sha256=info.sha256)

    async def finish_multipart(
        self,
        key: str,
        token: str,
        size_bytes: int,
        *,
        tags: Mapping[int, str] | None = None,
        is_cut: bool = False,
    ) -> BlobStat:
        return await self._run(self._finish_now, key, self._path(key), self._part_path(token), size_bytes, is_cut)

    def _finish_now(self, key: str, final: Path, part: Path, size_bytes: int, is_cut: bool) -> BlobStat:
        try:
            if is_cut and part.stat().st_size > size_bytes:
                os.truncate(part, size_bytes)
            found_bytes = files.sync_file(part)
        except FileNotFoundError as fault:
            if final.is_file() and final.stat().st_size == size_bytes:
                return _stat(final, key)  # finished before
            raise BlobIncomplete("its parts are gone") from fault
        if found_bytes != size_bytes:
            raise BlobIncomplete(f"{found_bytes} bytes are there, {size_bytes} were promised")
        files.publish(part, final)
        return _stat(final, key)

    async def abort_multipart(self, key: str, token: str) -> None:
        check_key(key)
        await self._run(self._part_path(token).unlink, missing_ok=True)

    def _part_path(self, token: str) -> Path:
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("this is no multipart token")
        return self._parts / token

    async def _pour(self, writer: files.FileWriter, chunks: AsyncIterable[bytes], limit_bytes: int | None) -> None:
        """Writes what arrives; one batch is on its way to the disk while the next one arrives."""
        batch: list[bytes] = []
        batch_bytes = total_bytes = 0
        writing: asyncio.Task[None] | None = None
        try:
            async for chunk in chunks:
                total_bytes += len(chunk)
                if limit_bytes is not None and total_bytes > limit_bytes:
                    raise PartTooLarge(f"more than {limit_bytes} bytes came")
                batch.append(bytes(chunk))
                batch_bytes += len(chunk)
                if batch_bytes >= BATCH_BYTES:
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._run(writer.write, batch))
                    batch, batch_bytes = [], 0
            if writing is not None:
                await writing
            if batch:
                await self._run(writer.write, batch)
        finally:
            if writing is not None and not writing.done():
                await asyncio.wait({writing})
            if writing is not None and not writing.cancelled():
                writing.exception()  # if it has one beside ours, it has been looked at


def _keep(writer: files.FileWriter, final: Path) -> None:
    writer.sync()
    writer.close()
    files.publish(writer.path, final)


def _stat(path: Path, key: str) -> BlobStat:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise BlobMissing from fault
    if not stat.S_ISREG(found.st_mode):
        raise BlobMissing
    return _stat_of(key, found)


def _stat_of(key: str, found: os.stat_result) -> BlobStat:
    return BlobStat(key=key, size_bytes=found.st_size, modified_at_ms=found.st_mtime_ns // 1_000_000)
