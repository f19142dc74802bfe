"""Which demuxer a file gets: decided here from its first bytes, never by libav's own guess.

The allow-list has only formats that hold their media themselves. Text formats that name other files (HLS,
DASH, concat, SDP), and AVI, whose embedded subtitles start a second guess inside libav, cannot be reached.
"""

from __future__ import annotations

import re

from streamgate.contracts.media import NotMedia

HEAD_BYTES = 4096

_MP4_KINDS = frozenset((b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"sidx", b"moof"))
_TS_PACKETS = ((188, 0), (192, 4), (204, 0))


def sniff_demuxer(head: bytes) -> str:
    """libav's name of the demuxer for a file that begins with `head` (4 kB are enough).

    Raises:
        NotMedia: none of the accepted formats (`media.not_media`).
    """
    if len(head) >= 12 and head[4:8] in _MP4_KINDS:
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "wav"
    if head.startswith(b"fLaC"):
        return "flac"
    if head.startswith(b"OggS"):
        return "ogg"
    if _is_transport_stream(head):
        return "mpegts"
    if head.startswith(b"ID3"):
        # The tag may be longer than the head; audio with an ID3v2 tag is MP3 in practice.
        return "mp3"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "aac"
    if re.match(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff]", head):
        return "mp3"
    raise NotMedia("its first bytes are of no accepted format (mp4, mov, mkv, webm, ts, mp3, aac, flac, ogg, wav)")


def _is_transport_stream(head: bytes) -> bool:
    """Sync bytes at the distance of three packets (plain, with time codes, with Reed-Solomon bytes)."""
    return any(
        len(head) > start + 2 * size and all(head[start + number * size] == 0x47 for number in range(3))
        for size, start in _TS_PACKETS
    )
