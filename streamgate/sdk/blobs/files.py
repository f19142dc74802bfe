"""The blocking half of the disk store: what runs in its threads. Paths only, no keys, no event loop."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import filecmp
import functools
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamgate.sdk.blobs.base import BlobExists, BlobInfo, BlobMissing, StorageFull

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_WRITTEN_BACK_FROM_BYTES = 256 << 10  # less is left to the kernel
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h
_NO_COPYING = frozenset({errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS})


class FileWriter:
    """One file being written from one offset on, hashed on the way."""

    def __init__(self, path: Path, offset: int, *, reserve_bytes: int, want_sha256: bool) -> None:
        self.path = path
        self._offset = offset
        self._reserve_bytes = reserve_bytes
        self._hash = hashlib.sha256() if want_sha256 else None
        self._descriptor = -1
        self.size_bytes = 0

    def open(self, *, create: bool) -> None:
        """Raises FileNotFoundError: it is not there and may not be made."""
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if create else 0)
        self._descriptor = os.open(self.path, flags, 0o640)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Raises StorageFull."""
        wanted = sum(map(len, chunks))
        check_room(self.path, wanted, self._reserve_bytes)
        begun_at = self._offset + self.size_bytes
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    done = os.pwrite(self._descriptor, view, self._offset + self.size_bytes)
                    self.size_bytes += done
                    view = view[done:]
                if self._hash is not None:
                    self._hash.update(chunk)
        except OSError as fault:
            raise _translated(fault) from fault
        if wanted >= _WRITTEN_BACK_FROM_BYTES:
            _begin_write_back(self._descriptor, begun_at, wanted)

    def sync(self) -> None:
        try:
            os.fsync(self._descriptor)
        except OSError as fault:
            raise _translated(fault) from fault

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def info(self) -> BlobInfo:
        return BlobInfo(size_bytes=self.size_bytes, sha256=self._hash.hexdigest() if self._hash is not None else "")


def _begin_write_back(descriptor: int, offset: int, length: int) -> None:
    """Bytes go to the disk from now on, not only when somebody waits for all of them: fsync of a gigabyte that came in
    5 s takes 5 ms instead of 0.4 s. It promises nothing and reports nothing; fsync does. Linux alone has it."""
    call = getattr(_libc(), "sync_file_range", None)
    if call is not None:
        call(descriptor, ctypes.c_int64(offset), ctypes.c_int64(length), ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def append_range(source: Path, start: int, target: Path, limit_bytes: int, reserve_bytes: int) -> int:
    """Adds bytes of one file at the end of another, which is made where it is not there; how many, 0 at its end. The
    kernel copies them; file systems that share extents copy nothing.

    Raises:
        BlobMissing, StorageFull.
    """
    reading = open_for_reading(source)
    try:
        wanted = min(limit_bytes, os.fstat(reading).st_size - start)
        check_room(target, wanted, reserve_bytes)
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            ends_at, done = os.fstat(writing).st_size, 0
            while done < wanted:
                done += _copy(reading, start + done, writing, ends_at + done, wanted - done)
        finally:
            os.close(writing)
    except OSError as fault:
        raise _translated(fault) from fault
    finally:
        os.close(reading)
    return done


def _copy(reading: int, start: int, writing: int, offset: int, length: int) -> int:
    try:
        return os.copy_file_range(reading, writing, length, start, offset)
    except OSError as fault:
        if fault.errno not in _NO_COPYING:
            raise
    return os.pwrite(writing, os.pread(reading, min(length, 1024 * 1024), start), offset)


def check_room(path: Path, wanted_bytes: int, reserve_bytes: int) -> None:
    """Raises StorageFull: writing so much would use the reserve."""
    room = os.statvfs(path.parent)
    if room.f_bavail * room.f_frsize - wanted_bytes < reserve_bytes:
        raise StorageFull("the disk is full but for its reserve", retry_after_s=60)


def publish(temporary: Path, final: Path) -> None:
    """Gives a file its lasting name, never over another one; the temporary name goes.

    Raises:
        BlobExists: other bytes have the name.
    """
    taken = BlobExists("an object never gets other bytes; use another key")
    while True:
        try:
            make_folder(final.parent)
        except (FileExistsError, NotADirectoryError):
            if any(above.is_file() for above in final.parents):
                raise taken from None
            continue  # somebody removed the empty folder at the same moment
        try:
            _link(temporary, final)
        except FileExistsError:
            if not final.is_file() or not filecmp.cmp(temporary, final, shallow=False):
                raise taken from None
        except FileNotFoundError:
            if not temporary.exists():
                raise
            continue  # as above
        break
    temporary.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):  # deleted already
        _sync_folder(final.parent)


def make_folder(folder: Path) -> None:
    """Makes it with what is missing above it; what it made survives a power cut.

    Raises:
        FileExistsError, NotADirectoryError: a file has the name, or one above it.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
    except FileNotFoundError:
        make_folder(folder.parent)
        make_folder(folder)
    else:
        with contextlib.suppress(FileNotFoundError):  # removed already, being empty
            _sync_folder(folder.parent)


def _link(temporary: Path, final: Path) -> None:
    try:
        final.hardlink_to(temporary)
    except OSError as fault:
        if fault.errno not in _NO_LINKS:
            raise
        # A file system without hard links (some network mounts): two writers of one key at the same instant
        # would not be told apart there.
        if final.exists():
            raise FileExistsError from fault
        temporary.rename(final)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> int:
    """Everything written to it is on the disk when this returns; its size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    except OSError as fault:
        raise _translated(fault) from fault
    finally:
        os.close(descriptor)


def open_for_reading(path: Path) -> int:
    """Raises BlobMissing."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as fault:
        raise BlobMissing from fault


def read_at(descriptor: int, start: int, length: int) -> bytes:
    """All of it, unless the file ends before."""
    found = os.pread(descriptor, length, start)
    while len(found) < length and (more := os.pread(descriptor, length - len(found), start + len(found))):
        found += more  # one call returns at most 2 GiB
    return found


def read_whole(path: Path, start: int, length: int | None) -> bytes:
    """Raises BlobMissing."""
    descriptor = open_for_reading(path)
    try:
        size = os.fstat(descriptor).st_size
        end = size if length is None else min(size, start + length)
        return read_at(descriptor, start, end - start) if end > start else b""
    finally:
        os.close(descriptor)


def remove(path: Path, root: Path) -> None:
    """Removes a file and the folders that it leaves empty, up to the root."""
    path.unlink(missing_ok=True)
    remove_empty(path.parent, root)


def remove_empty(folder: Path, root: Path) -> None:
    while folder != root and root in folder.parents:
        try:
            folder.rmdir()
        except OSError:  # not empty, or gone already
            if folder.exists():
                return
        folder = folder.parent


def remove_tree(folder: Path, root: Path) -> int:
    """Removes a folder with everything in it; how many files there were."""
    count = sum(1 for _ in walk(folder))
    shutil.rmtree(folder, ignore_errors=True)
    remove_empty(folder.parent, root)
    return count


def walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All visible files below, in the order of their paths' words."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name + ("/" if entry.is_dir() else ""))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield entry


def _translated(fault: OSError) -> Exception:
    return StorageFull("the disk is full", retry_after_s=60) if fault.errno in _FULL else fault
