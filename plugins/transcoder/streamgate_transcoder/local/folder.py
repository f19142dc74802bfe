"""The folder that is written: made beside its place under a hidden name, and renamed when it is whole.

<folder>/master.m3u8   manifest.mpd   <rendition>/playlist.m3u8   <rendition>/init.mp4   <rendition>/<n>.m4s
         chapters.vtt  captions/<name>.vtt   captions/<name>/playlist.m3u8   captions/<name>/<n>.vtt
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from streamgate.sdk.playlists.dash import render_manifest
from streamgate.sdk.playlists.hls import render_media_playlist, render_multivariant
from streamgate.sdk.playlists.presentation import Presentation, Segment, Track
from streamgate.sdk.playlists.stills import IFRAMES_FILE, has_iframes, render_iframes

from .making import Made
from .texts import write_texts

MASTER, MANIFEST = "master.m3u8", "manifest.mpd"
BEGINNINGS = (MASTER, MANIFEST)
"""What players open: there last, so that nothing looks finished that is not."""


class FolderRefused(Exception):
    """Nothing may be written there; the message says what to do."""


def check_place(out: Path, *, force: bool) -> None:
    """Raises FolderRefused."""
    if out.exists() and not out.is_dir():
        raise FolderRefused(f"{out} is a file: name another folder with --out")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise FolderRefused(f"{out} is not empty: name another folder with --out, or write into it with --force")


@contextmanager
def work_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out`, on the same file system; gone afterwards.

    Raises:
        OSError: it cannot be made there.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".unfinished", dir=out.parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def presentation_of(made: Made) -> Presentation:
    plan, parts = made.plan, made.parts
    tracks = (
        Track.of(plan, each, parts[each.id], tuple(map(Segment.of, parts[each.id].segments)))
        for each in plan.renditions
    )
    return Presentation.of(plan, tracks)


def write(made: Made, whole: Path) -> Presentation:
    """Puts everything below `whole`, which is made; the media files are moved there."""
    presentation = presentation_of(made)
    tracks = write_texts(made, presentation, whole)
    presentation = attrs.evolve(presentation, captions=tracks)
    for track in presentation.tracks:
        folder = whole / track.id
        folder.mkdir(parents=True)
        made.path_of(track.init_key).rename(folder / "init.mp4")
        for segment in track.segments:
            made.path_of(segment.key).rename(folder / f"{segment.n}.m4s")
        (folder / "playlist.m3u8").write_text(render_media_playlist(track), encoding="utf-8")
        if has_iframes(track):
            (folder / IFRAMES_FILE).write_text(render_iframes(track), encoding="utf-8")
    (whole / MANIFEST).write_text(render_manifest(presentation), encoding="utf-8")
    (whole / MASTER).write_text(render_multivariant(presentation), encoding="utf-8")
    return presentation


def put_in_place(whole: Path, out: Path) -> None:
    """Renames the folder; into one that is not empty (it was allowed) go its entries, each in place of one of the same
    name, and what players open last of all."""
    if not out.is_dir() or not any(out.iterdir()):
        whole.rename(out)
        return
    for name in BEGINNINGS:
        _remove(out / name)
    for entry in sorted(whole.iterdir(), key=lambda entry: entry.name in BEGINNINGS):
        _remove(out / entry.name)
        entry.rename(out / entry.name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
