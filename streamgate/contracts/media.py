"""The media plan (version 1) and what the transcoder answers.

The transcoder makes the plan and obeys it; streaming stores it, once, and jobs name it by its key. All times
are integers: video in ticks of `timescale` (the source's own video time scale, so that 30000/1001 is exact),
audio in samples of its rate. Grids have one entry more than there are segments: the last one is the end.
"""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.contracts.captions import FoundCaptions, FoundChapter
from streamgate.errors import StreamgateError


@attrs.frozen(kw_only=True)
class MediaSource:
    key: str  # in the blob store
    size_bytes: int


@attrs.frozen(kw_only=True)
class PlannedRendition:
    """One entry of the ladder. Sizes are coded pixels, even, rotation applied; rates in bits per second. The first of
    sound in a plan is what is heard first."""

    id: str  # 'v720', 'a128': URL-safe
    kind: Literal["video", "audio"]
    mode: Literal["copy", "encode"]
    base: bool = False  # listed from the plan on; one video (or, without video, audio) rendition is
    policy: Literal["eager", "lazy"] = "eager"
    codec: str = ""  # RFC 6381, as in CODECS: 'avc1.64001f', 'mp4a.40.2'
    profile: str = ""
    level: str = ""
    width_px: int = 0
    height_px: int = 0
    fps_num: int = 0  # nominal frame rate; 0/1 when it varies
    fps_den: int = 1
    bitrate_bps: int = 0  # average aimed at (audio), 0 where quality is constant (crf)
    maxrate_bps: int = 0
    bufsize_bits: int = 0
    sample_rate_hz: int = 0
    channels: int = 0
    language: str = ""  # of sound: BCP 47; empty where the source does not say
    title: str = ""  # of sound: its name in the source
    source_track: int = -1  # of sound: the source's stream, which several renditions may be made of; -1: its main one
    grid: tuple[int, ...] = ()  # of sound cut otherwise than by `audio_grid` (another rate, another end)
    settings: dict[str, str] = attrs.field(factory=dict)  # encoder options, or what is copied: they shape the init
    settings_sha256: str = ""
    segment_bytes: tuple[int, ...] = ()  # copied: what each segment will have, from the source's own index

    @property
    def name(self) -> str:
        """For people: `720p`, `720p AV1`, `audio`, `audio fr 5.1`."""
        if self.kind == "video":
            return f"{min(self.width_px, self.height_px)}p" + (" AV1" if self.codec.startswith("av01") else "")
        return " ".join(filter(None, ("audio", self.language, "5.1" if self.channels == 6 else "")))


@attrs.frozen(kw_only=True)
class PlannedChunk:
    """The unit of work: segments seg_from … seg_to - 1; decoding can begin at decode_from_ticks."""

    n: int
    seg_from: int
    seg_to: int
    decode_from_ticks: int


@attrs.frozen(kw_only=True)
class MediaPlan:
    """How one media version is cut and encoded. `duration_ticks` = the last grid entry minus the first. `frames`: of
    the picture, in each of its renditions; 0 for audio-only."""

    plan: int = 1
    content_id: str
    media_version: int
    source: MediaSource
    timescale: int
    origin_ticks: int = 0  # pts of the first presented video frame: grid time 0 is this source time
    duration_ticks: int
    frames: int = 0
    video_grid: tuple[int, ...] = ()  # empty for audio-only
    audio_grid: tuple[int, ...] = ()  # in samples of the first audio rendition's rate; empty without audio
    target_duration_s: int  # EXT-X-TARGETDURATION of every media playlist
    chunks: tuple[PlannedChunk, ...] = ()
    renditions: tuple[PlannedRendition, ...] = ()
    warnings: tuple[str, ...] = ()
    copies_prefix: str = ""  # what is copied is written below it, each segment under one name whoever cuts it
    captions: tuple[FoundCaptions, ...] = ()  # of the source, to be read out
    chapters: tuple[FoundChapter, ...] = ()
    not_copied: tuple[str, ...] = ()  # why picture or sound of the source are not played as they are
    base_first: bool = False  # an encoded picture is the base: by jobs of its own, watched while it is made

    def grid_of(self, rendition: PlannedRendition) -> tuple[int, ...]:
        """Its segment edges, in its own time scale."""
        if rendition.kind == "video":
            return self.video_grid
        return rendition.grid or self.audio_grid

    def timescale_of(self, rendition: PlannedRendition) -> int:
        """Ticks a second: the plan's for pictures, the sample rate for sound."""
        return self.timescale if rendition.kind == "video" else rendition.sample_rate_hz


@attrs.frozen(kw_only=True)
class MadeSegment:
    """One media segment in the blob store. Ticks are of the rendition's own time scale (audio: samples).
    `first_frame_bytes`: so much of it ends with its first frame, of a picture the key frame; 0: not known."""

    n: int
    key: str
    size_bytes: int
    sha256: str
    decode_time_ticks: int
    duration_ticks: int
    first_frame_bytes: int = 0


@attrs.frozen(kw_only=True)
class MadePart:
    """Segments of one rendition made by one job, and the init they belong to (identical for all parts)."""

    rendition_id: str
    init_key: str
    init_sha256: str
    init_size_bytes: int
    segments: tuple[MadeSegment, ...]


AAC_FRAME_SAMPLES = 1024


# --- job kinds: payload in, result out (both travel as plain JSON in a lease) ---------------------

PROBE_KIND = "media.probe"
CHUNK_KIND = "media.encode_chunk"
ASKED_KIND = "media.encode_asked"
AUDIO_KIND = "media.encode_audio"
COPY_KIND = "media.copy"


@attrs.frozen(kw_only=True)
class ProbePayload:
    """`copies_prefix`: below it the source itself may become a rendition; empty: everything is encoded. `policy`: which
    rungs are made in advance; empty: as the profile says."""

    content_id: str
    media_version: int
    source: MediaSource
    profile: str = "web"
    policy: Literal["", "eager", "lazy"] = ""
    copies_prefix: str = ""


@attrs.frozen(kw_only=True)
class ProbeResult:
    """`parts`: the beginning of what is copied, cut while the source was open."""

    plan: MediaPlan
    parts: tuple[MadePart, ...] = ()


MAX_PLAN_BYTES = 4 << 20
"""Of a stored plan, far above one of a source of twelve hours (about 0.4 MB)."""


@attrs.frozen(kw_only=True)
class ChunkPayload:
    """`plan_key`: the version's MediaPlan as JSON in the blob store, written once before its jobs are asked for. It is
    there as long as the version; a job that finds it gone has nothing to do. `rendition_ids`: empty: all eager ones."""

    content_id: str
    media_version: int
    plan_key: str
    chunk_n: int
    rendition_ids: tuple[str, ...] = ()


ASKED_SEGMENTS = 2
"""A stretch: segments of one job that somebody waits for. The encoder's speed decides for how long."""


@attrs.frozen(kw_only=True)
class AskedPayload:
    """One encoded picture's segments from `stretch_n` times ASKED_SEGMENTS on: somebody waits for them. `plan_key`: see
    ChunkPayload."""

    content_id: str
    media_version: int
    plan_key: str
    rendition_id: str
    stretch_n: int


@attrs.frozen(kw_only=True)
class AudioPayload:
    """`plan_key`: see ChunkPayload."""

    content_id: str
    media_version: int
    plan_key: str
    rendition_id: str


@attrs.frozen(kw_only=True)
class CopyPayload:
    """Segments seg_from … seg_to - 1 of every copied rendition. `plan_key`: see ChunkPayload."""

    content_id: str
    media_version: int
    plan_key: str
    seg_from: int
    seg_to: int


@attrs.frozen(kw_only=True)
class MadeResult:
    """Result of CHUNK_KIND, ASKED_KIND, AUDIO_KIND and COPY_KIND; a checkpoint carries the parts made so far."""

    parts: tuple[MadePart, ...]


# --- faults that make a content `failed`: not retryable, the code is shown to the creator ---------


class MediaError(StreamgateError):
    code, status, title = "media.error", 422, "The file cannot be played"


class NotMedia(MediaError):
    code, title = "media.not_media", "Not a video or audio file that can be read"


class NoPlayableTrack(MediaError):
    code, title = "media.no_playable_track", "No video or audio track that can be decoded"


class MediaTooLarge(MediaError):
    code, title = "media.limits_exceeded", "Beyond the limits for pixels, streams, duration or frame rate"


class MediaCorrupt(MediaError):
    code, title = "media.corrupt", "The file is damaged"


class MediaOutputInvalid(MediaError):
    """What an encoder made is not what the plan says. Another machine may do better, so it is tried again."""

    code, status, title, retryable = "media.output_invalid", 500, "The encoder's output failed its check", True


class MediaChildFailed(MediaError):
    """The process that handled the file died or took too long. One attempt is lost, nothing else."""

    code, status, title, retryable = "media.child_failed", 503, "The transcoding process failed", True
