"""The section `transcoder`."""

from __future__ import annotations

import os

import attrs

from streamgate.settings import config_field

from .media.limits import MediaLimits
from .media.task import SandboxLimits

POSITIVE = attrs.validators.gt(0)


@attrs.frozen(kw_only=True)
class TranscoderConfig:
    """How much of the machine encoding may use, and what a source may ask of it."""

    encoders: int = config_field(
        0, help="Chunks encoded side by side; 0: as many as there are cores.", validator=attrs.validators.ge(0)
    )
    warm_children: int = config_field(
        1, help="Processes that wait with everything imported.", validator=attrs.validators.ge(0)
    )
    child_needs_bytes: int = config_field(
        400 << 20,
        help="Memory one encoding child takes; fewer work at once where less is free.",
        validator=POSITIVE,
    )
    child_memory_bytes: int = config_field(4 << 30, help="Address space of one child.", validator=POSITIVE)
    child_cpu_s: int = config_field(7200, help="Processor time of one child in seconds.", validator=POSITIVE)
    child_niceness: int = config_field(
        10, help="How far children stand back behind other work (0 to 19).", validator=attrs.validators.in_(range(20))
    )
    probe_wall_s: float = config_field(300.0, help="Longest a probe may take, in seconds.", validator=POSITIVE)
    encode_wall_s: float = config_field(
        7200.0, help="Longest one chunk or one audio track may take, in seconds.", validator=POSITIVE
    )
    max_pixels: int = config_field(36_000_000, help="Pixels of a source's frame at most.", validator=POSITIVE)
    max_duration_s: float = config_field(43_200.0, help="Longest source in seconds.", validator=POSITIVE)
    max_fps: float = config_field(240.0, help="Frames a second of a source, on average, at most.", validator=POSITIVE)

    @property
    def encoder_count(self) -> int:
        if self.encoders:
            return self.encoders
        # The cores this process may use; only Linux tells.
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def media_limits(self) -> MediaLimits:
        return MediaLimits(max_pixels=self.max_pixels, max_duration_s=self.max_duration_s, max_fps=self.max_fps)

    @property
    def sandbox_limits(self) -> SandboxLimits:
        return SandboxLimits(memory_bytes=self.child_memory_bytes, cpu_s=self.child_cpu_s, niceness=self.child_niceness)
