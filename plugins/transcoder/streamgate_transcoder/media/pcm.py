"""Sound on one unbroken timeline from the origin on: gaps become silence, overlaps and what lies before are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_SAMPLE_BYTES = 4  # 32-bit float, one plane a channel


class PcmTimeline:
    """Takes decoded planes with their position and gives blocks of exactly `block` samples, without a gap.

    Time stamps of some containers are rounded (mkv: to milliseconds), so a position within `tolerance` of
    where the sound stands is taken as following on. The first position is obeyed exactly.
    """

    def __init__(self, channels: int, total: int, *, block: int = 1024, tolerance: int = 960) -> None:
        self._pending = [bytearray() for _ in range(channels)]
        self._total = total
        self._block = block
        self._tolerance = tolerance
        self._at = 0  # samples given and pending: where the timeline stands
        self._is_first = True

    def place(self, position: int, planes: Sequence[bytes]) -> Iterator[list[bytes]]:
        """Adds sound that begins at sample `position` (may be negative). Planes are float32, native order."""
        samples = len(planes[0]) // _SAMPLE_BYTES
        off = position - self._at
        if not self._is_first and abs(off) <= self._tolerance:
            off = 0
        if off < 0 and samples <= -off:
            return
        self._is_first = False
        if off > 0:
            yield from self._silence(min(off, self._total - self._at))
        skip = max(0, -off)
        keep = max(0, min(samples - skip, self._total - self._at))
        for pending, plane in zip(self._pending, planes, strict=True):
            pending += plane[skip * _SAMPLE_BYTES : (skip + keep) * _SAMPLE_BYTES]
        self._at += keep
        yield from self._blocks()

    def finish(self) -> Iterator[list[bytes]]:
        """Silence up to the end."""
        yield from self._silence(self._total - self._at)

    @property
    def is_full(self) -> bool:
        return self._at >= self._total

    def _silence(self, samples: int) -> Iterator[list[bytes]]:
        while samples > 0:
            step = min(samples, 64 * self._block)
            for pending in self._pending:
                pending += bytes(step * _SAMPLE_BYTES)
            self._at += step
            samples -= step
            yield from self._blocks()

    def _blocks(self) -> Iterator[list[bytes]]:
        size = self._block * _SAMPLE_BYTES
        whole = len(self._pending[0]) // size
        for at in range(whole):
            yield [bytes(pending[at * size : (at + 1) * size]) for pending in self._pending]
        for pending in self._pending:
            del pending[: whole * size]
