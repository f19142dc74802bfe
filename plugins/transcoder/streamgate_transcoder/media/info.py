"""What the probe found in a source: plain values, in integers, display orientation applied."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import attrs

from streamgate.contracts.captions import FoundCaptions, FoundChapter


@attrs.frozen(kw_only=True)
class Colour:
    """Code points of ITU-T H.273 (2 = unspecified), and whether samples use the full range."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    is_full_range: bool = False

    @property
    def is_hdr(self) -> bool:
        """PQ (SMPTE ST 2084) or HLG (ARIB STD-B67)."""
        return self.transfer in (16, 18)


@attrs.frozen(kw_only=True)
class CodedVideo:
    """A video track as its packets are, for whoever would keep them. `times` (ticks, as in `VideoTrack`) and `sizes`
    are in decoding order. `fault`: why they cannot be kept, as far as the container tells."""

    config: bytes  # the codec's own header; of H.264 an AVCDecoderConfigurationRecord
    width_px: int  # of the coded picture
    height_px: int
    pixel_format: str
    is_upright: bool
    times: tuple[int, ...]
    sizes: tuple[int, ...]
    fault: str = ""


@attrs.frozen(kw_only=True)
class CodedAudio:
    """An audio track as its packets are: from `first_s` (source time) on, of `sizes`, without a gap unless `fault`."""

    config: bytes  # of AAC an AudioSpecificConfig
    profile: str
    first_s: Fraction
    sizes: tuple[int, ...]
    fault: str = ""


@attrs.frozen(kw_only=True)
class VideoTrack:
    """The video track that will be shown.

    All times are ticks of `timescale` counted from `origin_ticks`, which is the source's time of the first
    presented frame. `times` holds every presented frame in display order (the first entry is 0), `end` is
    when the last one leaves the screen. `key_times` are frames where decoding can begin; `cut_times` those
    among them that begin a *closed* group, so that nothing before depends on what follows.
    """

    index: int
    codec: str
    width_px: int  # as displayed: rotation applied, pixels made square
    height_px: int
    rotation_deg: int = 0  # clockwise turn that was applied: 0, 90, 180, 270
    sar_num: int = 1  # of the coded picture
    sar_den: int = 1
    timescale: int
    origin_ticks: int
    times: tuple[int, ...]
    end: int
    key_times: tuple[int, ...]
    cut_times: tuple[int, ...]
    colour: Colour = attrs.field(factory=Colour)
    is_interlaced: bool = False
    coded: CodedVideo | None = None  # of H.264

    @property
    def is_variable_rate(self) -> bool:
        """Whether two frames stay longer than another by more than rounding to the clock explains (2 ms)."""
        gaps = [b - a for a, b in pairwise(self.times)]
        return bool(gaps) and max(gaps) - min(gaps) > max(1, self.timescale // 500)

    @property
    def average_fps(self) -> Fraction:
        return Fraction(len(self.times) * self.timescale, max(1, self.end))


@attrs.frozen(kw_only=True)
class AudioTrack:
    """One audio track. `start_s` and `end_s` are exact source times in seconds, priming already left out; known of the
    main track alone."""

    index: int
    codec: str
    sample_rate_hz: int
    channels: int
    language: str = ""  # BCP 47
    title: str = ""
    is_default: bool = False
    start_s: Fraction = Fraction(0)
    end_s: Fraction = Fraction(0)
    coded: CodedAudio | None = None  # of AAC


@attrs.frozen(kw_only=True)
class MediaInfo:
    """One probed source. At least one track is there: without any the probe fails instead."""

    container: str
    video: VideoTrack | None = None
    audio: tuple[AudioTrack, ...] = ()
    captions: tuple[FoundCaptions, ...] = ()
    chapters: tuple[FoundChapter, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def main_audio(self) -> AudioTrack | None:
        """What is heard first: the track marked as default, else the first."""
        return self.sounds[0] if self.audio else None

    @property
    def sounds(self) -> tuple[AudioTrack, ...]:
        """The main track, and the others in the order of the file."""
        return tuple(sorted(self.audio, key=lambda track: not track.is_default))
