"""How the segments of a presentation are encrypted, as its texts tell it: where they are, and by which keys; never the
keys themselves."""

from __future__ import annotations

from typing import Protocol
from xml.etree import ElementTree as Xml

import attrs

from streamgate.sdk.playlists.presentation import Presentation, Segment, Track

_BLOCK_BYTES = 16
_COMMON = "urn:mpeg:dash:mp4protection:2011"
_CLEAR_KEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
_CENC = "urn:mpeg:cenc:2013"
_LICENCE_NAMES = {"dashif": "https://dashif.org/CPS", "clearkey": "http://dashif.org/guidelines/clearKey"}
"""The namespace of DASH-IF's IOP 5, and the older one that players know as well."""
for _prefix, _namespace in {**_LICENCE_NAMES, "cenc": _CENC}.items():
    Xml.register_namespace(_prefix, _namespace)  # some players go by the prefix
_ABOUT_A_PICTURE_BYTES, _ABOUT_A_SOUND_BYTES = 24, 8
"""What CENC tells of one sample: its IV, and of a picture the runs that are encrypted."""
_SOUND_SAMPLES = 1024
_MOST_FPS = 60


class Sealing(Protocol):
    """Key periods are numbered from 0; `starts`: the segments with which they begin."""

    @property
    def media(self) -> str:
        """Where the encrypted segments are, a path or URL with a `/` at its end: `hls/` and `cenc/` below."""

    @property
    def starts(self) -> tuple[int, ...]: ...

    def iv(self, track_id: str, period: int) -> bytes:
        """Of AES-128."""

    def kid(self, track_id: str, period: int) -> bytes:
        """The name of a CENC key."""


def key_line(sealing: Sealing, track_id: str, n: int) -> str | None:
    """The line before a segment with which another key begins; the key is beside the playlist."""
    if n not in sealing.starts:
        return None
    period = sealing.starts.index(n)
    return f'#EXT-X-KEY:METHOD=AES-128,URI="{period}.key",IV=0x{sealing.iv(track_id, period).hex()}'


def padded(track: Track) -> Track:
    """With the sizes its segments have under AES-128."""
    return attrs.evolve(track, segments=tuple(_padded(segment) for segment in track.segments))


def described_bps(track: Track) -> int:
    """What CENC adds to the rate of a track, by telling how each sample is encrypted; rounded up."""
    if track.kind == "audio":
        return -(-8 * _ABOUT_A_SOUND_BYTES * track.sample_rate_hz // _SOUND_SAMPLES)
    frames = -(-track.fps_num // track.fps_den) if track.fps_num else _MOST_FPS
    return 8 * _ABOUT_A_PICTURE_BYTES * frames


def by_key_period(presentation: Presentation, sealing: Sealing) -> list[tuple[int, Presentation]]:
    """The key periods of a presentation, each with its segments."""
    ends = (*sealing.starts[1:], None)
    found = []
    for period, (first, end) in enumerate(zip(sealing.starts, ends, strict=True)):
        video = tuple(_part(track, first, end) for track in presentation.video)
        audio = tuple(_part(track, first, end) for track in presentation.audio)
        kept = attrs.evolve(
            presentation,
            video=tuple(track for track in video if track.segments),
            audio=tuple(track for track in audio if track.segments),
        )
        if kept.tracks:
            found.append((period, kept))
    return found


def add_protection(parent: Xml.Element, kid: bytes, licence_url: str) -> None:
    """ISO/IEC 23009-1 with 23001-7: the scheme and the key's name, and where ClearKey's licence is. Of a set of
    renditions one key stands for all, since some players look no further: a licence has those of the others, too."""
    name = kid.hex()
    uuid = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:]))
    scheme = {"schemeIdUri": _COMMON, "value": "cenc", f"{{{_CENC}}}default_KID": uuid}
    Xml.SubElement(parent, "ContentProtection", scheme)
    clear_key = Xml.SubElement(parent, "ContentProtection", {"schemeIdUri": _CLEAR_KEY, "value": "ClearKey1.0"})
    for namespace in _LICENCE_NAMES.values():
        Xml.SubElement(clear_key, f"{{{namespace}}}Laurl", {"Lic_type": "EME-1.0"}).text = licence_url


def _padded(segment: Segment) -> Segment:
    return attrs.evolve(segment, size_bytes=(segment.size_bytes // _BLOCK_BYTES + 1) * _BLOCK_BYTES)


def _part(track: Track, first: int, end: int | None) -> Track:
    return attrs.evolve(track, segments=track.segments[first:end])
