"""Poster and storyboard of an hour of 1080p (H.264, a key frame each 4 s): seconds of one real child, from the task to
its last sheet, the start of the child within. Beside it, where ffmpeg is installed: its command line that decodes key
frames alone and tiles as many pictures of that size.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from pathlib import Path

import attrs

from streamgate.contracts.media import MediaSource
from streamgate.contracts.pictures import PICTURES_KIND
from streamgate.testing.clips import make_clip
from streamgate.wire import to_plain
from streamgate_transcoder.media.channel import Frame
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import PROFILES
from streamgate_transcoder.media.source import DescriptorBytes
from streamgate_transcoder.media.task import ChildTask, PicturesTask, SandboxLimits
from streamgate_transcoder.pool import ChildPool
from tests.bench.figures import Figure, Row
from tests.bench.playable import FFMPEG, ROUND, longer

MINUTES = 60
ROUNDS = 3
LIMIT_S = 30
SHEETS = 4  # 360 pictures


@attrs.frozen
class _File:
    size_bytes: int
    descriptor: int

    async def read_at(self, offset: int, length: int) -> bytes:
        raise ValueError("a child that has the file asks for none of it")


async def _pictures_s(film: Path) -> float:
    with film.open("rb") as file:
        source = _File(film.stat().st_size, file.fileno())
        where = MediaSource(key="film", size_bytes=source.size_bytes)
        info = probe(DescriptorBytes(file.fileno()), MediaLimits(), lambda _: None)
        plan = make_plan(info, PROFILES["web"], "c_film", 1, where)
        names: list[str] = []

        async def take(frame: Frame) -> None:
            if frame.kind == "picture":
                names.append(frame.head["name"])

        task = ChildTask(
            task=PICTURES_KIND,
            payload=to_plain(PicturesTask(plan=plan)),
            source_by="descriptor",
            source_size_bytes=source.size_bytes,
            limits=MediaLimits(),
            sandbox=SandboxLimits(),
        )
        began = time.perf_counter()
        await ChildPool(size=1, warm=0).run(task, source, take, 600)
        took_s = time.perf_counter() - began
    if names != [*map(str, range(SHEETS)), "poster"]:
        raise RuntimeError(f"other pictures came: {names}")
    return took_s


def _ffmpeg_s(ffmpeg: str, film: Path, folder: Path) -> float:
    command = [ffmpeg, "-v", "error", "-y", "-threads", "1", "-skip_frame", "nokey", "-i", str(film)]
    began = time.perf_counter()
    filters = "fps=1/10,scale=160:90,tile=10x10"
    subprocess.run([*command, "-vf", filters, "-q:v", "4", str(folder / "%d.jpg")], check=True, timeout=600)
    return time.perf_counter() - began


def measure(folder: Path) -> list[Row]:
    one = make_clip(folder / "round.mp4", attrs.evolve(ROUND, width_px=1920, height_px=1080))
    film = longer(one, folder / "film.mp4", MINUTES)
    ours, peer = [], []
    for _ in range(ROUNDS):
        ours.append(asyncio.run(_pictures_s(film)))
        if FFMPEG is not None:
            peer.append(_ffmpeg_s(FFMPEG, film, folder))
    return [
        Figure(
            name="poster and storyboard of an hour of 1080p",
            unit="s",
            ours=tuple(ours),
            peer=tuple(peer),
            peer_name="ffmpeg -skip_frame nokey" if peer else "",
            limit=LIMIT_S,
        )
    ]
