"""Captions in playlists: a group of HLS with a playlist of WebVTT pieces each, and a side file each for DASH.

    captions/<name>/playlist.m3u8   captions/<name>/<n>.vtt   captions/<name>.vtt   captions/<name>/<n>-<n>.vtt

Pieces are cut where the segments of the picture are, so that all media playlists have one target duration. A cue that
spans a seam is in both pieces; its times are those of the film.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Literal
from xml.etree import ElementTree as Xml

import attrs

from streamgate.contracts.captions import UNKNOWN_LANGUAGE, FoundCaptions
from streamgate.sdk.languages import name_of
from streamgate.sdk.timedtext import webvtt
from streamgate.sdk.timedtext.cues import Cue, until

CaptionKind = Literal["subtitles", "captions"]

FOLDER = "captions"
GROUP = "captions"
_FOR_DEAF = "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
_ROLE = "urn:mpeg:dash:role:2011"
_STAMP = "X-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000"
"""The film's time 0 is the media's: our fragments begin at 0."""


@attrs.frozen(kw_only=True)
class CaptionTrack:
    """What a player's list shows of captions. `captions` are for those who do not hear: they tell of sounds too. `key`,
    `sha256`: where its text is kept, and which text it is."""

    language: str  # BCP-47
    label: str
    kind: CaptionKind = "subtitles"
    is_default: bool = False
    key: str = ""
    sha256: str = ""
    size_bytes: int = 0

    @property
    def name(self) -> str:
        """Of its files."""
        return caption_name(self.language, self.kind)


def caption_name(language: str, kind: CaptionKind) -> str:
    """A dot is in no tag, so names of the two kinds never meet."""
    return f"{language.lower()}.cc" if kind == "captions" else language.lower()


def track_of(found: FoundCaptions, size_bytes: int = 0) -> CaptionTrack:
    """Of what a film brings along. None of it is shown unless a viewer asks: containers mark what nobody chose."""
    label = found.title or ("Subtitles" if found.language == UNKNOWN_LANGUAGE else name_of(found.language))
    return CaptionTrack(language=found.language, label=label, kind=found.kind, size_bytes=size_bytes)


def file_path(track: CaptionTrack) -> str:
    return f"{FOLDER}/{track.name}.vtt"


def media_lines(tracks: Sequence[CaptionTrack], folder: str) -> list[str]:
    """EXT-X-MEDIA of each. Of several that claim to be shown by default the first one is; names are told apart."""
    lines = []
    default = next((track for track in tracks if track.is_default), None)
    names: set[str] = set()
    for track in tracks:
        name = _name_of(track, names)
        attributes = [
            "TYPE=SUBTITLES",
            f'GROUP-ID="{GROUP}"',
            f'NAME="{name}"',
            f'LANGUAGE="{track.language}"',
            f"DEFAULT={'YES' if track is default else 'NO'}",
            "AUTOSELECT=YES",
            "FORCED=NO",
        ]
        if track.kind == "captions":
            attributes.append(f'CHARACTERISTICS="{_FOR_DEAF}"')
        attributes.append(f'URI="{folder}{FOLDER}/{track.name}/playlist.m3u8"')
        lines.append("#EXT-X-MEDIA:" + ",".join(attributes))
    return lines


def render_playlist(spans: Sequence[tuple[int, int]], target_duration_s: int) -> str:
    """Of the pieces of one track. `spans`: beginning and end of each, in microseconds."""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{target_duration_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
    ]
    for n, (starts_us, ends_us) in enumerate(spans):
        seconds, rest_us = divmod(ends_us - starts_us, 1_000_000)
        lines += [f"#EXTINF:{seconds}.{rest_us:06d},", f"{n}.vtt"]
    return "\n".join([*lines, "#EXT-X-ENDLIST"]) + "\n"


def render_piece(cues: Sequence[Cue], span: tuple[int, int]) -> str:
    """One piece: every cue that is shown within it. `cues` are in order."""
    starts_ms, ends_ms = span[0] // 1000, ceil(span[1] / 1000)
    last = bisect_left(cues, ends_ms, key=lambda cue: cue.start_ms)
    return webvtt.render((cue for cue in cues[:last] if cue.end_ms > starts_ms), head=_STAMP)


def render_file(cues: Iterable[Cue], ends_us: int) -> str:
    """The side file: all that is said until then."""
    return webvtt.render(until(cues, ceil(ends_us / 1000)))


def render_part(cues: Iterable[Cue], starts_us: int, ends_us: int) -> str:
    """A side file of one Period, with its times."""
    starts_ms = ceil(starts_us / 1000)
    kept = (cue for cue in until(cues, ceil(ends_us / 1000)) if cue.end_ms > starts_ms)
    return webvtt.render(
        attrs.evolve(cue, start_ms=max(0, cue.start_ms - starts_ms), end_ms=cue.end_ms - starts_ms) for cue in kept
    )


def add_sets(
    period: Xml.Element,
    tracks: Sequence[CaptionTrack],
    duration_s: float,
    pieces: tuple[int, int] | None = None,
) -> None:
    """An AdaptationSet each, with a file of its own. `pieces`: the first of the Period, and the one after it, where it
    is not the whole film: times in a file are its Period's."""
    for number, track in enumerate(tracks, start=len(period)):
        attributes = {"id": str(number), "contentType": "text", "mimeType": webvtt.MEDIA_TYPE, "lang": track.language}
        adaptation = Xml.SubElement(period, "AdaptationSet", attributes)
        Xml.SubElement(adaptation, "Label").text = track.label
        role = "caption" if track.kind == "captions" else "subtitle"
        Xml.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": role})
        if track.is_default:
            Xml.SubElement(adaptation, "Role", {"schemeIdUri": _ROLE, "value": "main"})
        rate_bps = max(1, ceil(track.size_bytes * 8 / max(1.0, duration_s)))
        described = {"id": f"{FOLDER}-{track.name}", "bandwidth": str(rate_bps)}
        representation = Xml.SubElement(adaptation, "Representation", described)
        part = f"{FOLDER}/{track.name}/{pieces[0]}-{pieces[1]}.vtt" if pieces else file_path(track)
        Xml.SubElement(representation, "BaseURL").text = part


def _name_of(track: CaptionTrack, taken: set[str]) -> str:
    """No two of a group have one name. A quoted string holds no quotes (RFC 8216 section 4.2), and some parsers stumble
    over an apostrophe in it: both are written as printers do."""
    label = track.label.replace('"', "\u201d").replace("'", "\u2019")
    name = label if label not in taken else f"{label} ({track.name})"
    taken.add(name)
    return name
