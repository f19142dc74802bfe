"""Probing: from a source's bytes to a `MediaInfo`. One frame of each track is decoded, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import attrs
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamgate.contracts.media import MediaTooLarge, NoPlayableTrack

from .captions import found_captions, found_chapters
from .clock import Clock, choose_timescale
from .coded import coded_audio, coded_video
from .frame_index import FrameIndex, index_from_header, index_from_scan, until_hole
from .info import AudioTrack, CodedAudio, Colour, MediaInfo, VideoTrack
from .limits import MediaLimits
from .opening import check_size, decode, is_decodable, main_video, open_source, packets, select_only, sound_streams
from .orientation import UPRIGHT, orientation_of
from .source import RangedBytes
from .titles import language_of, title_of

_PACKETS_TRIED = 3000
_PACKETS_TRIED_BESIDE = 2000
"""For sounds beside the main one, once that and the picture have been met: half a minute of a film, of one whose tracks
lie side by side a few."""
MOST_SOUNDS = 8
"""Each is a rendition or two, of the whole length."""


@attrs.define
class _Opening:
    """What the beginning of a file shows: a first decoded frame of each track, and first packets. Sounds are named by
    the index of their stream."""

    video_frame: VideoFrame | None = None
    video_packets: list[Packet[Any]] = attrs.field(factory=list)
    audio_frames: dict[int, AudioFrame] = attrs.field(factory=dict)
    audio_packets: dict[int, Packet[Any]] = attrs.field(factory=dict)


@attrs.frozen
class _Found:
    """What the first look found, for the second."""

    start: _Opening
    kept: Mapping[int, CodedAudio | None]  # of sounds, by the index of their stream
    index: FrameIndex | None
    limits: MediaLimits
    on_progress: Callable[[float], None]
    warnings: list[str]


def probe(
    source: RangedBytes, limits: MediaLimits, on_progress: Callable[[float], None], *, with_picture: bool = True
) -> MediaInfo:
    """What a source holds. `on_progress` hears shares of the work (0 to 1) where a file must be read whole. Without
    `with_picture` a film is taken for its sound.

    Raises:
        NotMedia, NoPlayableTrack, MediaTooLarge, MediaCorrupt: as their codes say; none is worth a retry.
    """
    warnings: list[str] = []
    with open_source(source, limits) as container:
        stream, all_sounds = main_video(container) if with_picture else None, sound_streams(container)
        sounds = all_sounds[:MOST_SOUNDS]
        if len(all_sounds) > MOST_SOUNDS:
            warnings.append(f"the file has {len(all_sounds)} audio tracks; {MOST_SOUNDS} of them are offered")
        start = _read_opening(container, stream, sounds)
        has_unknown = with_picture and not all(map(is_decodable, container.streams.video))
        if start.video_frame is None and (stream is not None or has_unknown):
            warnings.append("the video track cannot be decoded; only its sound is offered")
        if not start.audio_frames and container.streams.audio:
            warnings.append("the audio track cannot be decoded; the video is offered without sound")
        elif lost := [track for track in sounds if track.index not in start.audio_frames]:
            warnings.append(f"{len(lost)} of the audio tracks begin late or cannot be decoded, and are left out")
        if start.video_frame is None and not start.audio_frames:
            raise NoPlayableTrack(_what_was_there(container))
        index: FrameIndex | None = None
        if stream is not None and start.video_frame is not None:
            check_size(start.video_frame.width, start.video_frame.height, limits)
            index = index_from_header(stream, source, start.video_packets, limits)
        kept = {track.index: coded_audio(track, source, start.audio_packets.get(track.index)) for track in sounds}
        found = _Found(start, kept, index, limits, on_progress, warnings)
        if index is not None:
            return _described(container, found)
    with open_source(source, limits) as container:  # from its beginning again
        return _described(container, found)


def _described(container: InputContainer, found: _Found) -> MediaInfo:
    """All that is left to find: where the header tells the frames, nothing of it is read from the packets."""
    start, limits, warnings = found.start, found.limits, found.warnings
    video: VideoTrack | None = None
    audio: tuple[AudioTrack, ...] = ()
    heard = [track for track in sound_streams(container) if track.index in start.audio_frames]
    if start.video_frame is not None and (stream := main_video(container)) is not None:
        index = found.index or index_from_scan(container, stream, limits, found.on_progress)
        video = _video_track(stream, start.video_frame, index, limits, warnings)
    if heard:
        end_s = _audio_end(container, heard[0], limits) if video is None else Fraction(0)
        audio = tuple(
            _audio_track(track, start.audio_frames[track.index], found.kept.get(track.index), end_s, is_main=n == 0)
            for n, track in enumerate(heard)
        )
    origin_s = Fraction(video.origin_ticks, video.timescale) if video is not None else audio[0].start_s
    captions, chapters = found_captions(container, warnings), found_chapters(container, origin_s)
    return MediaInfo(
        container=container.format.name,
        video=video,
        audio=audio,
        captions=captions,
        chapters=chapters,
        warnings=tuple(warnings),
    )


def _read_opening(container: InputContainer, video: VideoStream | None, sounds: Sequence[AudioStream]) -> _Opening:
    found = _Opening()
    wanted = [*(() if video is None else (video,)), *sounds]
    if not wanted:
        raise NoPlayableTrack(_what_was_there(container))
    beside = 0
    for count, packet in enumerate(packets(container, *wanted)):
        index = packet.stream.index
        is_video = video is not None and index == video.index
        done = found.video_frame is not None if is_video else index in found.audio_frames
        if is_video and len(found.video_packets) < 64 and packet.size:
            found.video_packets.append(packet)
        if not is_video and packet.size:
            found.audio_packets.setdefault(index, packet)
        if not done:
            frame = next(iter(decode(packet)), None)
            if isinstance(frame, VideoFrame) and frame.pts is not None:
                found.video_frame = frame
            elif isinstance(frame, AudioFrame) and frame.pts is not None:
                found.audio_frames[index] = frame
        has_main = (video is None or found.video_frame) and (not sounds or sounds[0].index in found.audio_frames)
        beside += bool(has_main)
        if (has_main and len(found.audio_frames) == len(sounds)) or beside > _PACKETS_TRIED_BESIDE:
            break
        if count > _PACKETS_TRIED:
            break
    return found


def _video_track(
    stream: VideoStream, first: VideoFrame, index: FrameIndex, limits: MediaLimits, warnings: list[str]
) -> VideoTrack:
    said = stream.time_base  # PyAV 18 has a Fraction, 19 a rational of its own
    time_base = Fraction(said.numerator, said.denominator) if said else Fraction(1, 1000)
    origin = first.pts or 0
    # A file may begin with frames that refer to others before its beginning: they cannot be shown.
    found = _in_order(stamp for stamp in index.pts if stamp >= origin) or [origin]
    longest = max(1, int(limits.max_hole_s / time_base))
    shown = until_hole(found, longest)
    if len(shown) < len(found):
        warnings.append("the file's clock jumps by more than minutes; what comes after the jump is left out")
    gaps = [after - before for before, after in pairwise(shown)]
    clock = Clock(time_base, choose_timescale(time_base, min(gaps, default=1)))
    usual = sorted(gaps)[len(gaps) // 2] if gaps else max(1, int(1 / (25 * time_base)))
    knows_last = index.last_duration > 0 and len(shown) == len(found)
    end = shown[-1] + min(index.last_duration if knows_last else usual, longest)
    if index.is_cut_off:
        warnings.append("the file ends before its header says; what is there will be played")
    zero = clock.ticks(origin)

    def ticks(stamps: list[int]) -> tuple[int, ...]:
        kept = [stamp for stamp in stamps if origin <= stamp < end]
        return tuple(_in_order(each - zero for each in clock.all_ticks(kept)))

    orientation = orientation_of(first)
    sar = stream.sample_aspect_ratio or Fraction(1)
    sar = sar if Fraction(1, 20) < sar < 20 else Fraction(1)
    width, height = max(1, round(first.width * sar)), first.height
    if orientation.is_transposed:
        width, height = height, width
    track = VideoTrack(
        index=stream.index,
        codec=stream.codec_context.name,
        width_px=width,
        height_px=height,
        rotation_deg=orientation.rotation_deg,
        sar_num=sar.numerator,
        sar_den=sar.denominator,
        timescale=clock.timescale,
        origin_ticks=zero,
        times=ticks(shown),
        end=clock.ticks(end) - zero,
        key_times=ticks(list(index.key_pts)),
        cut_times=ticks(list(index.cut_pts)),
        colour=Colour(
            primaries=first.color_primaries,
            transfer=first.color_trc,
            matrix=first.colorspace,
            is_full_range=first.color_range == 2 or first.format.name.startswith("yuvj"),
        ),
        is_interlaced=first.interlaced_frame,
        coded=coded_video(stream, first, index, clock, zero, is_upright=orientation == UPRIGHT),
    )
    _check_track(track, limits)
    if track.is_interlaced:
        warnings.append("the video is interlaced; two fields are made one picture")
    if track.colour.is_hdr:
        warnings.append("the video is HDR; its encodes are toned down to standard range (BT.709, 8 bit)")
    return track


def _in_order(stamps: Iterable[int]) -> list[int]:
    """Each once. They come nearly in order, which sorting makes use of and a set would lose."""
    return list(dict.fromkeys(sorted(stamps)))


def _check_track(track: VideoTrack, limits: MediaLimits) -> None:
    if track.end > limits.max_duration_s * track.timescale:
        raise MediaTooLarge(f"longer than {limits.max_duration_s / 3600:g} hours")
    if len(track.times) > 2 * limits.max_fps and track.average_fps > limits.max_fps:
        raise MediaTooLarge(f"{float(track.average_fps):.0f} frames a second; {limits.max_fps:g} are allowed")


def _audio_track(
    stream: AudioStream, first: AudioFrame, coded: CodedAudio | None, end_s: Fraction, *, is_main: bool
) -> AudioTrack:
    start_s = (first.pts or 0) * (first.time_base or stream.time_base or Fraction(1, 1000))
    return AudioTrack(
        index=stream.index,
        codec=stream.codec_context.name,
        sample_rate_hz=stream.codec_context.sample_rate,
        channels=stream.codec_context.channels,
        language=language_of(stream),
        title=title_of(stream),
        is_default=is_main,
        start_s=start_s,
        end_s=end_s,
        coded=coded,
    )


def _audio_end(container: InputContainer, stream: AudioStream, limits: MediaLimits) -> Fraction:
    """When the sound ends, from its packets: headers of audio files often only estimate it."""
    select_only(container, stream)
    said = stream.time_base  # PyAV 18 has a Fraction, 19 a rational of its own
    time_base = Fraction(said.numerator, said.denominator) if said else Fraction(1, 1000)
    longest_hole, last = int(limits.max_hole_s / time_base), int(limits.max_duration_s / time_base)
    end = 0
    for packet in packets(container, stream):
        if packet.size and packet.pts is not None:
            if end and packet.pts - end > longest_hole:
                break
            end = max(end, packet.pts + (packet.duration or 0))
            if end > last:
                raise MediaTooLarge(f"longer than {limits.max_duration_s / 3600:g} hours")
    return end * time_base


def _what_was_there(container: InputContainer) -> str:
    kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream"
    return f"nothing that can be decoded in this {container.format.name} file ({kinds})"
