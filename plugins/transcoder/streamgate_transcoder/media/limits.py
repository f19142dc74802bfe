"""What a source may ask of us. Checked before anything is decoded; a child's own limits are in `sandbox`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class MediaLimits:
    """Bounds on one source. Beyond any of them it is refused with `media.limits_exceeded`."""

    max_pixels: int = 36_000_000  # of one coded frame; 8192 x 4320 passes
    max_side_px: int = 16_384
    max_streams: int = 64
    max_duration_s: float = 12 * 3600.0
    max_fps: float = 240.0  # on average over the file
    max_packets_a_s: float = 4000.0  # of one track, on average; sound in raw samples has up to 1,500
    max_frames: int = 3_000_000  # 12 h at 60 fps, with room
    max_hole_s: float = 600.0  # between two frames; beyond it the file's clock is taken as broken
    max_channels: int = 64
    max_sample_rate_hz: int = 768_000
