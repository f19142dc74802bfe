"""Half a minute of 720p (Big Buck Bunny, looped) into the whole ladder of profile `web`, beside the ffmpeg command line
with the same rungs, settings and grid, in one process with as many threads as it likes.

    python -m tests.bench.encode FILE FOLDER JOBS

As MPEG-TS, of which nothing is copied: seconds by the clock and of the processor, the size of all pictures together,
and how near the highest rung is to the source (PSNR and SSIM by ffmpeg, over all of it). As MP4, whose own height is
copied: seconds of the processor beside encoding all. One child against two of ours: how much of the second core is
used. Ours in a process of its own with its children, as `streamgate transcode` does it, but for writing the
playlists.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from streamgate.contracts.media import PlannedRendition
from streamgate.testing.clips import one_minute_clip
from streamgate.wire import from_plain, to_plain
from streamgate_transcoder.local.making import Making
from tests.bench.figures import Figure, LeftOut, Row

FILM_S, ROUNDS = 30, 2
FFMPEG = shutil.which("ffmpeg")
PEER = "ffmpeg"
WALL_LIMIT, PROCESSOR_LIMIT, USED_LIMIT = 0.9, 1.0, 0.9


@attrs.frozen(kw_only=True)
class Run:
    """`pictures`: of each rung a file that plays, highest first."""

    wall_s: float
    processor_s: float
    size_bytes: int
    highest: Path
    renditions: tuple[PlannedRendition, ...]
    cuts_s: tuple[float, ...] = ()


def _timed(command: Sequence[str]) -> tuple[float, float, str]:
    """Seconds by the clock and of the processor, children and all, and what it printed."""
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    printed = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command[0]} ended with {child.returncode}")
    return time.perf_counter() - began, used.ru_utime + used.ru_stime, printed


def _ours(film: Path, folder: Path, jobs: int) -> Run:
    wall_s, processor_s, printed = _timed(
        [sys.executable, "-m", "tests.bench.encode", str(film), str(folder), str(jobs)]
    )
    said: dict[str, Any] = json.loads(printed)
    return Run(
        wall_s=wall_s,
        processor_s=processor_s,
        size_bytes=said["size_bytes"],
        highest=Path(said["highest"]),
        renditions=tuple(from_plain(PlannedRendition, each) for each in said["renditions"]),
        cuts_s=tuple(said["cuts_s"]),
    )


def _theirs(film: Path, folder: Path, like: Run) -> Run:
    """The same renditions by one command."""
    folder.mkdir()
    rungs = [each for each in like.renditions if each.kind == "video"]
    split = f"[0:v]split={len(rungs)}" + "".join(f"[in{n}]" for n in range(len(rungs)))
    scaled = [
        f"[in{n}]scale={each.width_px}:{each.height_px}:flags=bicubic,format=yuv420p[out{n}]"
        for n, each in enumerate(rungs)
    ]
    command = [str(FFMPEG), "-v", "error", "-y", "-i", str(film), "-filter_complex", ";".join([split, *scaled])]
    files = [folder / f"{each.id}.mp4" for each in rungs]
    cuts = ",".join(f"{each:.6f}" for each in like.cuts_s)
    for n, (each, file) in enumerate(zip(rungs, files, strict=True)):
        settings = [part for name, value in each.settings.items() for part in (f"-{name}", value)]
        command += ["-map", f"[out{n}]", "-c:v", "libx264", "-profile:v", "high", "-level", each.level, *settings]
        command += ["-sc_threshold", "0", "-g", "100000", "-force_key_frames", cuts]
        command += ["-fps_mode", "passthrough"]  # no picture more or less than there are
        command += ["-movflags", "frag_keyframe+empty_moov+default_base_moof", str(file)]
    command += ["-map", "0:a:0", "-c:a", "aac", "-b:a", "128k", "-vn", str(folder / "sound.mp4")]
    wall_s, processor_s, _ = _timed(command)
    size_bytes = sum(file.stat().st_size for file in files)
    return Run(wall_s=wall_s, processor_s=processor_s, size_bytes=size_bytes, highest=files[0], renditions=())


def _likeness(film: Path, made: Path) -> tuple[float, float]:
    """PSNR in dB and SSIM of all planes."""
    graph = (  # each from its own first frame
        "[0:v]setpts=PTS-STARTPTS,split[a][b];[1:v]setpts=PTS-STARTPTS,split[c][d];[a][c]psnr;[b][d]ssim"
    )
    command = [
        str(FFMPEG),
        "-v",
        "info",
        "-nostats",
        "-i",
        str(made),
        "-i",
        str(film),
        "-lavfi",
        graph,
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stderr
    return float(re.findall(r"average:([\d.]+)", said)[-1]), float(re.findall(r"All:([\d.]+)", said)[-1])


def measure(folder: Path) -> list[Row]:
    if FFMPEG is None:
        return [LeftOut("the whole ladder beside ffmpeg", "ffmpeg is not installed")]
    film = one_minute_clip(folder / "film.mp4", duration_s=FILM_S)
    stream = folder / "film.ts"
    subprocess.run([FFMPEG, "-v", "error", "-i", str(film), "-c", "copy", str(stream)], check=True, timeout=60)
    cores = os.cpu_count() or 1
    ours, theirs, alone, copied = [], [], [], []
    for n in range(ROUNDS):
        ours.append(_ours(stream, folder / f"ours{n}", cores))
        theirs.append(_theirs(stream, folder / f"theirs{n}", ours[0]))
        alone.append(_ours(stream, folder / f"alone{n}", 1))
        copied.append(_ours(film, folder / f"copied{n}", cores))
    near, nearby = _likeness(stream, ours[0].highest), _likeness(stream, theirs[0].highest)

    def figure(name: str, unit: str, mine: Sequence[float], peer: Sequence[float], **asked: Any) -> Figure:
        return Figure(name=name, unit=unit, ours=tuple(mine), peer=tuple(peer), peer_name=PEER, **asked)

    rungs = sum(each.kind == "video" for each in ours[0].renditions)
    used = [one.wall_s / cores / many.wall_s for one, many in zip(alone, ours, strict=True)]
    return [
        figure(
            f"{FILM_S} s of 720p in {rungs} rungs, clock",
            "s",
            [each.wall_s for each in ours],
            [each.wall_s for each in theirs],
            ratio_limit=WALL_LIMIT,
        ),
        figure(
            "  processor",
            "s",
            [each.processor_s for each in ours],
            [each.processor_s for each in theirs],
            ratio_limit=PROCESSOR_LIMIT,
        ),
        figure("  size of all pictures", "MB", [ours[0].size_bytes / 1e6], [theirs[0].size_bytes / 1e6]),
        figure("  PSNR of the highest", "dB", [near[0]], [nearby[0]], higher_is_better=True),
        figure("  SSIM of the highest", "", [near[1]], [nearby[1]], higher_is_better=True),
        figure(
            "  its own height copied, processor",
            "s",
            [each.processor_s for each in copied],
            [each.processor_s for each in theirs],
        ),
        Figure(
            name=f"  {cores} children for 1: used of each",
            unit="",
            ours=tuple(used),
            limit=USED_LIMIT,
            higher_is_better=True,
        ),
    ]


async def _main(film: Path, folder: Path, jobs: int) -> None:
    """Prints JSON: the renditions, the bytes of all pictures, and the highest as a file that plays."""
    folder.mkdir()
    made = await Making(jobs).make(film, folder, "web")
    pictures = [each for each in made.plan.renditions if each.kind == "video"]
    size_bytes = sum(segment.size_bytes for each in pictures for segment in made.parts[each.id].segments)
    highest = max(pictures, key=lambda each: each.height_px)
    part = made.parts[highest.id]
    keys = [part.init_key, *(segment.key for segment in part.segments)]
    whole = folder / "highest.mp4"
    whole.write_bytes(b"".join(made.path_of(key).read_bytes() for key in keys))
    told = {"renditions": [to_plain(each) for each in made.plan.renditions], "size_bytes": size_bytes}
    cuts_s = [ticks / made.plan.timescale for ticks in made.plan.video_grid[1:-1]]
    print(json.dumps({**told, "highest": str(whole), "cuts_s": cuts_s}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("jobs", type=int)
    given = parser.parse_args()
    asyncio.run(_main(given.film, given.folder, given.jobs))
