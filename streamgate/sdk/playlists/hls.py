"""HLS playlists (RFC 8216, version 7: fragmented MP4), complete from the first load to the last.

Relative URLs only: the multivariant playlist stands in the session's folder, each media playlist in its
rendition's. One text serves every session. A multivariant playlist that is answered elsewhere names the folder.
"""

from __future__ import annotations

from streamgate.sdk.playlists import captions, stills
from streamgate.sdk.playlists.presentation import Presentation, Track
from streamgate.sdk.playlists.sealing import Sealing, key_line, padded
from streamgate.sdk.playlists.sounds import Heard, SoundGroup, groups_of

MEDIA_TYPE = "application/vnd.apple.mpegurl"
_MICROSECONDS = 1_000_000


def render_multivariant(presentation: Presentation, *, folder: str = "", sealing: Sealing | None = None) -> str:
    """The list of variants, lowest rate first: that is where players without a measurement begin.

    BANDWIDTH and AVERAGE-BANDWIDTH are measured from the bytes and include the costliest sound: of the group for the
    average, of all groups for the peak, so that a picture beside stereo and beside 5.1 is one quality to hls.js, which
    would change the sound while it adapts otherwise.

    Args:
        folder: where the renditions are, with a `/` at its end; empty: beside the playlist.
        sealing: where the segments are encrypted, which makes them a little longer.
    """
    if sealing:
        presentation = presentation.with_tracks(padded)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
    groups = groups_of(presentation)
    peak_bps = max((track.peak_bps for track in presentation.audio), default=0)
    lines += [_audio_line(group, heard, folder) for group in groups for heard in group.members]
    lines += captions.media_lines(presentation.captions, folder)
    subtitles = f',SUBTITLES="{captions.GROUP}"' if presentation.captions else ""
    for track in presentation.video or presentation.audio[:1]:
        for group in groups or (None,):
            lines += [_variant_line(track, group, peak_bps) + subtitles, f"{folder}{track.id}/playlist.m3u8"]
    if not sealing:  # a part of an encrypted file cannot be decrypted
        lines += [stills.iframe_line(track, folder) for track in presentation.video if stills.has_iframes(track)]
    if presentation.storyboard is not None:
        lines.append(stills.image_line(presentation.storyboard, folder))
    return "\n".join(lines) + "\n"


def render_media_playlist(track: Track, sealing: Sealing | None = None) -> str:
    """One rendition's playlist, with all segments and ENDLIST; encrypted ones are where `sealing` says.

    Each EXTINF is the difference of two rounded edges, so that the sum never drifts from the media.
    """
    folder = f"{sealing.media}hls/{track.id}/" if sealing else ""
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{track.target_duration_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        f"#EXT-X-MAP:URI={quoted(f'{folder}init.mp4')}",
    ]
    for segment, (starts_us, ends_us) in zip(track.segments, track.spans, strict=True):
        seconds, rest_us = divmod(ends_us - starts_us, _MICROSECONDS)
        if sealing and (line := key_line(sealing, track.id, segment.n)):
            lines.append(line)
        lines += [f"#EXTINF:{seconds}.{rest_us:06d},", f"{folder}{segment.n}.m4s"]
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


def _audio_line(group: SoundGroup, heard: Heard, folder: str) -> str:
    attributes = ["TYPE=AUDIO", f"GROUP-ID={quoted(group.id)}", f"NAME={quoted(heard.name)}"]
    if heard.track.language:
        attributes.append(f"LANGUAGE={quoted(heard.track.language)}")
    attributes += [f"DEFAULT={_yes(heard.is_main)}", f"AUTOSELECT={_yes(heard.is_first_of_language)}"]
    if heard.track.channels:
        attributes.append(f"CHANNELS={quoted(str(heard.track.channels))}")
    attributes.append(f"URI={quoted(f'{folder}{heard.track.id}/playlist.m3u8')}")
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _yes(value: bool) -> str:
    return "YES" if value else "NO"


def _variant_line(track: Track, group: SoundGroup | None, sound_peak_bps: int) -> str:
    beside = group.tracks if group is not None and track.kind == "video" else ()
    codecs = dict.fromkeys([track.codec, *(sound.codec for sound in beside)])
    attributes = [
        f"BANDWIDTH={track.peak_bps + sound_peak_bps if beside else max(track.peak_bps, sound_peak_bps)}",
        f"AVERAGE-BANDWIDTH={track.average_bps + max((sound.average_bps for sound in beside), default=0)}",
        f"CODECS={quoted(','.join(codecs))}",
    ]
    if track.kind == "video":
        attributes.append(f"RESOLUTION={track.width_px}x{track.height_px}")
        if track.fps_num:
            attributes.append(f"FRAME-RATE={track.fps_num / track.fps_den:.3f}")
        attributes.append(f"VIDEO-RANGE={track.colour.video_range}")
    if group is not None:
        attributes.append(f"AUDIO={quoted(group.id)}")
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)
