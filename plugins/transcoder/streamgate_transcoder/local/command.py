"""`streamgate transcode`: a file made into a folder that any player opens, without a server."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import click

STOPPED = 130
"""The exit code of what was interrupted, as shells have it."""

REMEDIES = {
    "media.not_media": "name a video or audio file (mp4, mov, mkv, webm, ts, ogg, mp3, flac, wav …)",
    "media.no_playable_track": "save it anew with a codec that is read here: H.264, HEVC, VP9, AV1; AAC, Opus, MP3",
    "media.limits_exceeded": "make it smaller or shorter with another program first",
    "media.corrupt": "get another copy of the file; this one cannot be decoded",
    "media.output_invalid": "try again; should it be the same, report it with the file",
    "media.child_failed": "try again; with --jobs 1 it needs the least memory",
    "blobs.full": "make room there, or name a folder on another disk with --out",
}


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write, made when all is whole; by default named like the file, here.",
)
@click.option("--profile", default="web", show_default=True, help="Which renditions: a profile's name.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes side by side; by default one a core.")
@click.option("--json", "as_json", is_flag=True, help="An object a line on standard output, for programs.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty, over what has the same names.")
def transcode(*, file: Path, out: Path | None, profile: str, jobs: int | None, as_json: bool, force: bool) -> None:
    """Make FILE into HLS and DASH, here, without a server or any configuration.

    The folder has master.m3u8, manifest.mpd and a folder for each rendition, with the same bytes that a server makes of
    the file. FILE is opened by children that can reach nothing else. Progress goes to standard error; Ctrl-C ends it at
    once, and leaves nothing behind. The exit code is 1 when the file cannot be made into a stream.
    """
    from streamgate.commands.options import Stopped

    from ..faults import UnknownProfile
    from ..media.profiles import PROFILES
    from ..profile_names import pick
    from .folder import FolderRefused, check_place

    try:
        pick(PROFILES, profile)
    except UnknownProfile as fault:
        raise click.UsageError(fault.detail) from fault
    place = out or Path(file.stem)
    try:
        check_place(place, force=force)
    except FolderRefused as fault:
        raise Stopped(str(fault)) from fault
    try:
        code = asyncio.run(_run(file, place, profile, jobs, as_json=as_json))
    except OSError as fault:
        where = fault.filename or place
        raise Stopped(f"{where}: {fault.strerror}: name a folder with --out that can be written") from fault
    sys.exit(code)


async def _run(file: Path, out: Path, profile: str, jobs: int | None, *, as_json: bool) -> int:
    """The exit code."""
    from streamgate.errors import StreamgateError

    making = asyncio.create_task(_make(file, out, profile, jobs, as_json=as_json))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, making.cancel)
    try:
        await making
    except asyncio.CancelledError:
        click.echo("streamgate: stopped; nothing was left behind", err=True)
        return STOPPED
    except StreamgateError as fault:
        remedy = REMEDIES.get(fault.code, "try again; should it be the same, report it")
        if as_json:
            from .display import say

            say("failed", code=fault.code, title=fault.title, detail=fault.detail, remedy=remedy)
        said = fault.title if fault.detail == fault.title else f"{fault.title}: {fault.detail}"
        click.echo(f"streamgate: {file}: {said} ({fault.code}): {remedy}", err=True)
        return 1
    return 0


async def _make(file: Path, out: Path, profile: str, jobs: int | None, *, as_json: bool) -> None:
    from loguru import logger

    from .display import Bars, Display, JsonLines, Lines, say, shown, state_of
    from .folder import MANIFEST, MASTER, put_in_place, work_folder, write
    from .making import Making

    logger.remove()  # what is wrong is said at the end
    began_s = time.monotonic()
    display: Display = JsonLines() if as_json else Bars() if sys.stderr.isatty() else Lines()
    making = Making(jobs)

    with work_folder(out) as work:
        showing = asyncio.create_task(shown(display, lambda: state_of(making, began_s, time.monotonic())))
        try:
            made = await making.make(file, work, profile)
            presentation = write(made, work / "whole")
            put_in_place(work / "whole", out)
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError):
                await showing
        making.stage = "done"
        ended = state_of(making, began_s, time.monotonic())
        display.show(ended)
    size_bytes = sum(each.size_bytes for track in presentation.tracks for each in track.segments)
    facts = {
        "out": str(out),
        "duration_s": round(float(presentation.duration), 3),
        "elapsed_s": ended.elapsed_s,
        "size_bytes": size_bytes,
        "warnings": list(made.plan.warnings),
    }
    if as_json:
        say("done", **facts, master=str(out / MASTER), manifest=str(out / MANIFEST))
        return
    for warning in made.plan.warnings:
        click.echo(f"streamgate: {file}: {warning}", err=True)
    speed = float(presentation.duration) / max(0.1, ended.elapsed_s)
    about = f"{facts['duration_s']:g} s, {size_bytes / 1e6:.1f} MB"
    click.echo(f"{out / MASTER}: {about}, made in {ended.elapsed_s:g} s ({speed:.1f}x)")
