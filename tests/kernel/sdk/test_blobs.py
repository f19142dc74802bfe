"""Blobs on disk: the common suite, and what only files can show."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from streamgate.bus.memory import MemoryBus
from streamgate.lifecycle import StartFailed
from streamgate.sdk.blobs import BlobStore, StorageFull, StoreFault, files, open_blobs
from streamgate.sdk.blobs.base import StoreClosed
from streamgate.sdk.blobs.disk import DiskStore
from streamgate.settings import BlobSettings, KernelSettings
from streamgate.testing.blob_suite import BlobStoreSuite, pattern, pieces
from streamgate.testing.context import bus_unit, plugin_context, running


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[DiskStore]:
    store = DiskStore(tmp_path / "blobs", reserve_bytes=0)
    async with running(*store.units("test")):
        yield store


class TestDiskStore(BlobStoreSuite):
    @pytest.fixture
    async def store(self, disk: DiskStore) -> BlobStore:
        return disk


def reserved(root: Path) -> DiskStore:
    """A store on a disk whose free space is all reserve."""
    return DiskStore(root, reserve_bytes=shutil.disk_usage(root.parent).total)


async def test_reserve_is_refused_to_writers_and_serves_readers(tmp_path: Path, disk: DiskStore) -> None:
    await disk.put_bytes("old", b"here")
    token = await disk.begin_multipart("up")
    full = reserved(disk.root)
    async with running(*full.units("full")):
        for write in (
            full.put_bytes("new", b"x"),
            full.put("new", pieces(b"x")),
            full.begin_multipart("new"),
            full.write_part("up", token, 1, 0, pieces(b"x")),
        ):
            with pytest.raises(StorageFull) as refused:
                await write
            assert refused.value.code == "blobs.full"
            assert refused.value.status == 503
        assert await full.read("old") == b"here"
        assert "refused" in await full.check().probe()
    assert [found.key async for found in disk.list()] == ["old"]
    assert list((disk.root / ".incoming").iterdir()) == []


async def test_object_and_folder_of_one_name_do_not_harm_each_other(disk: DiskStore) -> None:
    await disk.put_bytes("a/b", b"1")
    for key in ("a", "a/b/c"):
        with pytest.raises(Exception, match="another key"):
            await disk.put_bytes(key, b"2")
    assert not await disk.exists("a")
    assert await disk.read("a/b") == b"1"


async def test_empty_folders_go_with_their_last_object(disk: DiskStore) -> None:
    await disk.put_bytes("a/b/c/d", b"1")
    await disk.put_bytes("a/x", b"1")
    await disk.delete("a/b/c/d")
    assert sorted(path.name for path in (disk.root / "a").iterdir()) == ["x"]
    await disk.delete_prefix("a/")
    assert not (disk.root / "a").exists()


async def test_new_folders_survive_a_power_cut_with_their_object(
    disk: DiskStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is on the disk is lost all the same while its parent does not say so there."""
    synced: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").resolve()
        if path.is_dir():
            synced.append(str(path.relative_to(disk.root.resolve())))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    await disk.put_bytes("a/b/first", b"1")
    assert synced == [".", "a", "a/b"]
    synced.clear()
    token = await disk.begin_multipart("a/c/second")
    await disk.write_part("a/c/second", token, 1, 0, pieces(b"2"))
    await disk.finish_multipart("a/c/second", token, 1)
    assert synced == ["a", "a/c"]
    synced.clear()
    await disk.put_bytes("a/b/third", b"3")
    assert synced == ["a/b"]


async def test_writer_and_deleter_of_one_folder_get_along(disk: DiskStore) -> None:
    async def write_and_delete(name: str) -> None:
        for number in range(30):
            await disk.put_bytes(f"shared/{name}{number}", b"x")
            await disk.delete(f"shared/{name}{number}")

    await asyncio.gather(*(write_and_delete(name) for name in "abcd"))
    assert [found async for found in disk.list()] == []


WRITES_A_PART = """
import asyncio, sys
from pathlib import Path
from streamgate.sdk.blobs.disk import DiskStore
from streamgate.testing.blob_suite import pattern, pieces

async def main():
    store = DiskStore(Path(sys.argv[1]), reserve_bytes=0)
    await store.open()
    token = await store.begin_multipart("source")
    await store.write_part("source", token, 1, 0, pieces(pattern(300_000, 1)))
    print(token, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_acknowledged_part_survives_kill_9(tmp_path: Path, disk: DiskStore) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITES_A_PART, str(disk.root), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    token = (await child.stdout.readline()).decode().strip()
    child.kill()
    await child.wait()
    rest = pattern(1_000, 2)
    await disk.write_part("source", token, 2, 300_000, pieces(rest))
    await disk.finish_multipart("source", token, 301_000)
    assert await disk.read("source") == pattern(300_000, 1) + rest


async def test_finish_interrupted_after_the_link_can_be_repeated(disk: DiskStore) -> None:
    token = await disk.begin_multipart("source")
    await disk.write_part("source", token, 1, 0, pieces(b"data"))
    (disk.root / "source").hardlink_to(disk.root / ".parts" / token)  # and the process died here
    await disk.finish_multipart("source", token, 4)
    assert list((disk.root / ".parts").iterdir()) == []


async def test_remains_of_a_crash_are_removed_when_old(tmp_path: Path) -> None:
    incoming = tmp_path / "blobs" / ".incoming"
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"x")
    (incoming / "new").write_bytes(b"x")
    os.utime(incoming / "old", (1, 1))
    async with running(*DiskStore(tmp_path / "blobs", reserve_bytes=0).units("test")):
        assert [path.name for path in incoming.iterdir()] == ["new"]


async def test_foreign_token_is_refused(disk: DiskStore) -> None:
    with pytest.raises(ValueError, match="token"):
        await disk.write_part("source", "../../etc/passwd", 1, 0, pieces(b"x"))


# --- one store for a process ---------------------------------------------------------------------------


async def test_plugins_of_a_process_share_a_store_until_the_last_stops(tmp_path: Path) -> None:
    bus = MemoryBus()
    first = plugin_context("first", data_dir=tmp_path, bus=bus)
    second = attrs.evolve(first, name="second")
    store = open_blobs(first)
    assert open_blobs(second) is store
    units = [*store.units("first"), *store.units("second")]
    async with running(bus_unit(bus), units[0]):
        async with running(units[1]):
            await store.put_bytes("k", b"v")
        assert await store.read("k") == b"v"
    with pytest.raises(StoreClosed):
        await store.read("k")
    assert (tmp_path / "blobs" / "k").read_bytes() == b"v"


async def test_store_elsewhere_is_named_by_url(tmp_path: Path) -> None:
    settings = KernelSettings(blobs=BlobSettings(url=(tmp_path / "else where").as_uri()))
    store = open_blobs(plugin_context("a", data_dir=tmp_path, settings=settings))
    assert store.local_path("k") == tmp_path / "else where" / "k"


@pytest.mark.parametrize("url", ["file://other-host/x", "file:relative"])
def test_unknown_store_is_a_fault(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreFault, match=r"blobs\.url"):
        open_blobs(plugin_context("a", data_dir=tmp_path, settings=KernelSettings(blobs=BlobSettings(url=url))))


async def test_folder_that_cannot_be_used_is_a_start_fault(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file")
    with pytest.raises(StartFailed, match="cannot be used"):
        async with running(*DiskStore(tmp_path / "blobs", reserve_bytes=0).units("test")):
            pass


# --- processes of a split must mean the same folder ------------------------------------------------------


def split_store(bus: MemoryBus, root: Path) -> BlobStore:
    settings = KernelSettings(blobs=BlobSettings(url=root.as_uri()))
    return open_blobs(plugin_context("a", data_dir=root, bus=bus, settings=settings))


def test_much_at_once_goes_to_the_disk_from_then_on_and_little_when_the_kernel_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[int, ...]] = []

    class Libc:
        @staticmethod
        def sync_file_range(descriptor: int, *rest: Any) -> None:
            begun.append((os.fstat(descriptor).st_size, *(each.value for each in rest)))

    monkeypatch.setattr(files, "_libc", Libc)
    writer = files.FileWriter(tmp_path / "file", 7, reserve_bytes=0, want_sha256=False)
    writer.open(create=True)
    much, little = 256 << 10, (256 << 10) - 1
    writer.write([bytes(little)])
    assert begun == []
    writer.write([bytes(5), bytes(much - 5)])
    writer.write([bytes(much + 1)])
    writer.close()
    write_alone = 2  # SYNC_FILE_RANGE_WRITE: waits for nothing
    first, second = 7 + little, 7 + little + much
    assert begun == [(second, first, much, write_alone), (second + much + 1, second, much + 1, write_alone)]


async def test_processes_with_one_folder_agree(tmp_path: Path) -> None:
    bus = MemoryBus(is_local=False)
    one, two = split_store(bus, tmp_path / "shared"), split_store(bus, tmp_path / "shared")
    async with running(bus_unit(bus), *one.units("one"), *two.units("two")):
        await one.put_bytes("k", b"v")
        assert await two.read("k") == b"v"


async def test_process_with_a_folder_of_its_own_does_not_start(tmp_path: Path) -> None:
    bus = MemoryBus(is_local=False)
    one, two = split_store(bus, tmp_path / "one"), split_store(bus, tmp_path / "two")
    async with running(bus_unit(bus), *one.units("one")):
        with pytest.raises(StartFailed, match="another store"):
            async with running(*two.units("two")):
                pass
        await one.put_bytes("k", b"still fine")
