"""Hostile and broken files under real children: a clear code within the limits, or what can be saved of them."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from streamgate.contracts.media import MediaError, MediaTooLarge
from streamgate.testing.attacks import attack
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.opening import decode, main_video, open_source, packets
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.source import DescriptorBytes
from streamgate_transcoder.pool import ChildPool
from tests.plugins.transcoder.corpus import Clip, make, watch
from tests.plugins.transcoder.corpus_children import Children, Outcome, probe_task
from tests.plugins.transcoder.corpus_hostile import (
    CORRUPT,
    HOSTILE,
    NOT_MEDIA,
    NOTHING,
    TINY,
    TOO_MUCH,
    cut,
    flipped,
    flood,
    growing,
    playlists,
)

FRONT = attrs.evolve(TINY, container_options={"movflags": "faststart"})
STREAMED = {kind: attrs.evolve(TINY, container=kind) for kind in ("matroska", "mpegts")}


@pytest.fixture(scope="session")
def children() -> Iterator[Children]:
    with Children() as made:
        yield made


def check_whole(outcome: Outcome) -> None:
    """What may be played is complete: every segment that the plan promises is there and can be decoded."""
    assert outcome.plan is not None
    for rendition in outcome.plan.renditions:
        grid = outcome.plan.video_grid if rendition.kind == "video" else outcome.plan.audio_grid
        assert sorted(outcome.segments[rendition.id]) == list(range(len(grid) - 1))
    assert watch(outcome)


@attack("B32")
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_by_a_clear_code_within_its_limits(name: str, children: Children, tmp_path: Path) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(HOSTILE[name].make())
    outcome = children.handle(path, may_copy=True)
    assert outcome.code in HOSTILE[name].codes
    assert bool(outcome.detail) == bool(outcome.code)
    if not outcome.code:
        check_whole(outcome)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("clip", [FRONT, *STREAMED.values()], ids=["mp4", *STREAMED])
def test_what_is_left_of_a_file_that_was_cut_off_plays(
    share: float, clip: Clip, children: Children, tmp_path: Path
) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(cut(share, clip))
    outcome = children.handle(path, may_copy=True)
    assert outcome.code in ("", *([NOT_MEDIA, NOTHING] if share < 0.5 else []))
    if not outcome.code:
        check_whole(outcome)
        assert all(list(seen.numbers) == list(range(len(seen.numbers))) for seen in watch(outcome))


@attack("B32")
@pytest.mark.parametrize(("max_pixels", "shown"), [(64 * 64, 10), (128 * 128, 20)])
def test_pictures_that_grow_beyond_the_limit_are_not_decoded(max_pixels: int, shown: int, tmp_path: Path) -> None:
    path = tmp_path / "growing.mkv"
    path.write_bytes(growing(64, 128))
    limits = MediaLimits(max_pixels=max_pixels)
    with path.open("rb") as file, open_source(DescriptorBytes(file.fileno()), limits) as container:
        stream = main_video(container)
        assert stream is not None
        assert shown == sum(len(decode(packet)) for packet in packets(container, stream))


@attack("B32")
def test_packets_are_counted_beside_their_time(tmp_path: Path) -> None:
    path = tmp_path / "flood.mkv"
    path.write_bytes(flood(9000))
    with path.open("rb") as file, open_source(DescriptorBytes(file.fileno()), MediaLimits()) as container:
        with pytest.raises(MediaTooLarge, match="2000 packets a second"):
            list(packets(container, container.streams.video[0], packets_a_s=2000))
        container.seek(0)
        assert len(list(packets(container, container.streams.video[0]))) == 9001


FUZZED = [
    (seed, where, kind)
    for where, kind, seeds in (
        ("header", "mp4", range(8)),
        ("media", "mp4", range(5)),
        ("anywhere", "matroska", range(5)),
        ("anywhere", "mpegts", (*range(3), 161)),  # 161: a stream comes up in the middle
    )
    for seed in seeds
]


@attack("B31", "B32")
@pytest.mark.parametrize(("seed", "where", "kind"), FUZZED)
def test_changed_bytes_crash_nothing(seed: int, where: str, kind: str, children: Children, tmp_path: Path) -> None:
    path = tmp_path / "upload.mp4"
    path.write_bytes(flipped(seed, attrs.evolve(TINY, container=kind), where))
    outcome = children.handle(path, may_copy=True)
    assert outcome.code in ("", NOT_MEDIA, NOTHING, TOO_MUCH, CORRUPT)
    if not outcome.code:
        check_whole(outcome)


class Watched:
    """A file of which every opening is heard (inotify), and an address whose every caller is."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(make(Clip(frames=5, audio_codec="")))
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._heard = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._libc.inotify_add_watch(self._heard, os.fsencode(path), 0x20) > 0  # IN_OPEN
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.targets = (f"file://{path}", f"http://127.0.0.1:{self._listener.getsockname()[1]}/x.ts")

    def was_reached(self) -> bool:
        for listen in (lambda: os.read(self._heard, 4096), self._listener.accept):
            try:
                listen()
            except BlockingIOError:
                continue
            return True
        return False

    def close(self) -> None:
        os.close(self._heard)
        self._listener.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path / "secret.mp4")
    yield made
    made.close()


@attack("A9", "B31")
def test_playlists_that_pose_as_media_reach_nothing(watched: Watched, children: Children, tmp_path: Path) -> None:
    """In a child, and without its sandbox: the choice of the demuxer alone must do."""
    path = tmp_path / "upload.mp4"
    for target in watched.targets:
        for name, data in playlists(target):
            path.write_bytes(data)
            assert children.handle(path).code in (NOT_MEDIA, NOTHING), name
            with path.open("rb") as file, pytest.raises(MediaError):
                probe(DescriptorBytes(file.fileno()), MediaLimits(), lambda share: None)
            assert not watched.was_reached(), name
    (tmp_path / "secret.mp4").read_bytes()
    assert watched.was_reached(), "openings must be heard for this to tell anything"


@attack("B32")
async def test_the_transcoder_outlives_what_its_children_do_not(tmp_path: Path) -> None:
    """Bombs side by side in spawned children; the next good file is probed by the same pool."""
    pool = ChildPool(size=2, warm=2)
    await pool.start()

    async def probed(data: bytes, name: str) -> None:
        path = tmp_path / name
        path.write_bytes(data)
        source = OpenFile(path)
        try:
            await pool.run(probe_task(source.size_bytes), source, ignore, 30)
        finally:
            source.close()

    bombs = ("268 million samples", "a png bomb as video")
    try:
        ends = await asyncio.gather(*(probed(HOSTILE[name].make(), name) for name in bombs), return_exceptions=True)
        assert [isinstance(end, MediaError) and end.code in (NOTHING, TOO_MUCH) for end in ends] == [True, True]
        await probed(make(TINY), "good")
        assert pool.busy == 0
    finally:
        await pool.stop()


class OpenFile:
    """As the pool wants a source."""

    def __init__(self, path: Path) -> None:
        self.descriptor: int | None = os.open(path, os.O_RDONLY)
        self.size_bytes = path.stat().st_size

    async def read_at(self, offset: int, length: int) -> bytes:
        raise AssertionError("it has the descriptor")

    def close(self) -> None:
        assert self.descriptor is not None
        os.close(self.descriptor)


async def ignore(frame: Frame) -> None:
    del frame
