"""How loud a sound is, by EBU R 128, and the one factor that brings all of it to a loudness."""

from __future__ import annotations

from fractions import Fraction

import attrs
import av.filter
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AllGiven

HIGHEST_PEAK_DB = -1.0
"""True peak (EBU R 128): room for what a coder adds."""
MOST_GAIN_DB = 20.0
"""What is quieter than that is noise, or meant to be quiet."""
_GATE_LUFS = -70.0
"""Silence: at or below it nothing was measured."""
_PEAK_STEP = 0.0005
"""Half of the last digit that libavfilter says of a peak."""


@attrs.frozen
class Loudness:
    """Of a whole sound: `integrated_lufs` with EBU R 128's gates, `true_peak` as a share of full scale."""

    integrated_lufs: float
    true_peak: float

    def gain_to(self, wanted_lufs: float) -> float:
        """The factor; 1 for silence. Where peaks have no room for it, it is as large as they let it be."""
        if self.integrated_lufs <= _GATE_LUFS or self.true_peak <= 0:
            return 1.0
        wanted_db = min(wanted_lufs - self.integrated_lufs, MOST_GAIN_DB)
        room = _factor(HIGHEST_PEAK_DB) / (self.true_peak + _PEAK_STEP)
        return min(_factor(wanted_db), room)


class LoudnessMeter:
    """Takes a sound piece by piece. libavfilter's `ebur128` on one thread, some 200 times as fast as the sound."""

    def __init__(self, rate_hz: int, layout: str) -> None:
        self._said: dict[str, str] = {}
        self._graph = av.filter.Graph()
        self._graph.threads = 1
        nodes = (
            self._graph.add_abuffer(sample_rate=rate_hz, format="fltp", layout=layout, time_base=Fraction(1, rate_hz)),
            self._graph.add("ebur128", peak="true", metadata="1"),
            self._graph.add("abuffersink"),
        )
        self._graph.link_nodes(*nodes).configure()

    def take(self, frame: AudioFrame) -> None:
        """Planes of floats that follow on what came before."""
        self._push(frame)

    def measured(self) -> Loudness:
        """Of all that was taken."""
        self._push(None)
        integrated_lufs = float(self._said.get("lavfi.r128.I", _GATE_LUFS))
        return Loudness(integrated_lufs, float(self._said.get("lavfi.r128.true_peak", 0)))

    def _push(self, frame: AudioFrame | None) -> None:
        self._graph.push(frame)
        while True:
            try:
                pulled = self._graph.pull()
            except (NothingYet, AllGiven):
                return
            if isinstance(pulled, AudioFrame):
                self._said = pulled.metadata or self._said


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))
