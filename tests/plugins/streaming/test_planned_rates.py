"""What playlists say of sound that is not made yet is no less than what is made then, of noise, and not much more."""

from __future__ import annotations

import os
import random
from pathlib import Path

import attrs
import av
import pytest

from streamgate.contracts.media import MediaSource
from streamgate_streaming.loading import sound_bps
from streamgate_transcoder.media.audio import encode_audio
from streamgate_transcoder.media.limits import MediaLimits
from streamgate_transcoder.media.output import SegmentOut
from streamgate_transcoder.media.planning import make_plan
from streamgate_transcoder.media.probe import probe
from streamgate_transcoder.media.profiles import WEB
from streamgate_transcoder.media.source import DescriptorBytes

RATE_HZ, SECONDS = 48_000, 6


@attrs.define
class Kept:
    segments: list[SegmentOut] = attrs.field(factory=list)

    def init(self, rendition_id: str, data: bytes) -> None: ...

    def segment(self, segment: SegmentOut) -> None:
        self.segments.append(segment)

    def progress(self, share: float, frames: int = 0) -> None: ...


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_noise_takes_no_more_than_was_said_before(layout: str, tmp_path: Path) -> None:
    path, bits = tmp_path / "noise.flac", random.Random(5)
    with av.open(str(path), "w", format="flac") as out:
        stream = out.add_stream("flac", rate=RATE_HZ, layout=layout)
        for n in range(SECONDS):
            frame = av.AudioFrame(format="s16", layout=layout, samples=RATE_HZ)
            frame.planes[0].update(bits.randbytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts = RATE_HZ, n * RATE_HZ
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    descriptor = os.open(path, os.O_RDONLY)
    source = DescriptorBytes(descriptor)
    info = probe(source, MediaLimits(), lambda share: None)
    plan = make_plan(info, WEB, "c_1", 1, MediaSource(key="s", size_bytes=source.size_bytes))
    for rendition in plan.renditions:
        made = Kept()
        encode_audio(source, plan, rendition.id, MediaLimits(), made)
        said_bps = sound_bps(rendition)
        rates = [len(each.data) * 8 * RATE_HZ / each.duration_ticks for each in made.segments]
        assert 0.9 * said_bps < max(rates) <= said_bps
    os.close(descriptor)
