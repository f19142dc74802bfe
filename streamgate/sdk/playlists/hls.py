"""HLS playlists (RFC 8216, version 7: fragmented MP4), complete from the first load to the last.

Relative URLs only: the multivariant playlist stands in the session's folder, each media playlist in its
rendition's. One text serves every session. A multivariant playlist that is answered elsewhere names the folder.
"""

from __future__ import annotations

from streamgate.sdk.playlists.presentation import Presentation, Track

MEDIA_TYPE = "application/vnd.apple.mpegurl"
_AUDIO_GROUP = "audio"
_MICROSECONDS = 1_000_000


def render_multivariant(presentation: Presentation, *, folder: str = "") -> str:
    """The list of variants, lowest rate first: that is where players without a measurement begin.

    BANDWIDTH and AVERAGE-BANDWIDTH are measured from the bytes and include the costliest sound of the group.

    Args:
        folder: where the renditions are, with a `/` at its end; empty: beside the playlist.
    """
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    has_group = bool(presentation.video and presentation.audio)
    if has_group:
        lines += [
            _audio_line(track, position, len(presentation.audio), folder)
            for position, track in enumerate(presentation.audio)
        ]
    for track in presentation.video or presentation.audio:
        lines += [_variant_line(track, presentation.audio if has_group else ()), f"{folder}{track.id}/playlist.m3u8"]
    return "\n".join(lines) + "\n"


def render_media_playlist(track: Track) -> str:
    """One rendition's playlist, with all segments and ENDLIST.

    Each EXTINF is the difference of two rounded edges, so that the sum never drifts from the media.
    """
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{track.target_duration_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for segment in track.segments:
        starts_us = _microseconds(segment.start_ticks, track.timescale)
        ends_us = _microseconds(segment.start_ticks + segment.duration_ticks, track.timescale)
        seconds, rest_us = divmod(ends_us - starts_us, _MICROSECONDS)
        lines += [f"#EXTINF:{seconds}.{rest_us:06d},", f"{segment.n}.m4s"]
    lines.append("#EXT-X-ENDLIST")
    return "\n".join(lines) + "\n"


def quoted(value: str) -> str:
    """A quoted-string attribute value.

    Raises:
        ValueError: a quote or a control character, which the format cannot carry (RFC 8216 section 4.2).
    """
    if '"' in value or not value.isprintable():
        raise ValueError(f"cannot stand in a playlist: {value!r}")
    return f'"{value}"'


def _audio_line(track: Track, position: int, count: int, folder: str) -> str:
    name = "Audio" if count == 1 else f"Audio {position + 1}"
    attributes = [
        "TYPE=AUDIO",
        f"GROUP-ID={quoted(_AUDIO_GROUP)}",
        f"NAME={quoted(name)}",
        f"DEFAULT={'YES' if position == 0 else 'NO'}",
        "AUTOSELECT=YES",
    ]
    if track.channels:
        attributes.append(f"CHANNELS={quoted(str(track.channels))}")
    attributes.append(f"URI={quoted(f'{folder}{track.id}/playlist.m3u8')}")
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _variant_line(track: Track, group: tuple[Track, ...]) -> str:
    codecs = dict.fromkeys([track.codec, *(sound.codec for sound in group)])
    attributes = [
        f"BANDWIDTH={track.peak_bps + max((sound.peak_bps for sound in group), default=0)}",
        f"AVERAGE-BANDWIDTH={track.average_bps + max((sound.average_bps for sound in group), default=0)}",
        f"CODECS={quoted(','.join(codecs))}",
    ]
    if track.kind == "video":
        attributes.append(f"RESOLUTION={track.width_px}x{track.height_px}")
        if track.fps_num:
            attributes.append(f"FRAME-RATE={track.fps_num / track.fps_den:.3f}")
    if group:
        attributes.append(f"AUDIO={quoted(_AUDIO_GROUP)}")
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _microseconds(ticks: int, timescale: int) -> int:
    return (2 * ticks * _MICROSECONDS + timescale) // (2 * timescale)
