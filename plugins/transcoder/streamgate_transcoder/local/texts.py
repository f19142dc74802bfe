"""Captions and chapters in the folder, as a server would send them."""

from __future__ import annotations

from pathlib import Path

from streamgate.sdk.playlists import captions
from streamgate.sdk.playlists.captions import CaptionTrack, track_of
from streamgate.sdk.playlists.presentation import Presentation
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.chapters import cues_of_found

from .making import Made


def write_texts(made: Made, presentation: Presentation, whole: Path) -> tuple[CaptionTrack, ...]:
    """What was read out of the source, and its chapters; the tracks that playlists name."""
    whole.mkdir(parents=True, exist_ok=True)
    ends_us = presentation.spans[-1][1]
    chapters = cues_of_found(made.plan.chapters)
    if chapters:
        (whole / "chapters.vtt").write_text(captions.render_file(chapters, ends_us), encoding="utf-8")
    found = {each.index: each for each in made.plan.captions}
    tracks = []
    for each in made.captions:
        cues = webvtt.parse(made.path_of(each.key).read_text(encoding="utf-8"))
        track = track_of(found[each.index], each.size_bytes)
        pieces = whole / captions.FOLDER / track.name
        pieces.mkdir(parents=True)
        (whole / captions.file_path(track)).write_text(captions.render_file(cues, ends_us), encoding="utf-8")
        playlist = captions.render_playlist(presentation.spans, presentation.target_duration_s)
        (pieces / "playlist.m3u8").write_text(playlist, encoding="utf-8")
        for n, span in enumerate(presentation.spans):
            (pieces / f"{n}.vtt").write_text(captions.render_piece(cues, span), encoding="utf-8")
        tracks.append(track)
    return tuple(tracks)
