"""Which rungs of a ladder are worth making of one source, and what each may cost at most. Pure.

A slide show needs a tenth of what a football match needs. Its lower rungs save nobody anything, and a cap made for
football lets one hard cut cost seconds on a thin line.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import attrs

from streamgate.contracts.profiles import Rung

ENOUGH_BPS = 200_000
"""Whoever cannot have that cannot have less either: nothing is made below a rung that needs no more."""
LEAST_SAVING = 0.1
"""Of the rate of the rung above; a rung that saves less is left out."""
_EXPONENT = 0.75
"""How rates grow with pixels, where nothing else is known: four times the pixels, 2.8 times the rate."""
_EXPONENTS = (0.3, 1.2)
_CAP_OF_HARDEST = 3.0
"""What was sampled is a few moments; others are harder."""
_LEAST_CAP = 1 / 3
"""Of the profile's cap: a scene that nobody sampled must stay watchable."""

Size = tuple[int, int, Rung]


@attrs.frozen(kw_only=True)
class Sample:
    """A moment of the source, coded at one size: its key frame, and the others on average."""

    width_px: int
    height_px: int
    key_bytes: int
    other_bytes: float

    @property
    def pixels(self) -> int:
        return self.width_px * self.height_px


@attrs.frozen(kw_only=True)
class Difficulty:
    """What a source needs at a profile's quality: `bps` at `pixels`, `hardest_bps` in the hardest moment known."""

    bps: float
    hardest_bps: float
    pixels: int
    exponent: float = _EXPONENT

    def at(self, width_px: int, height_px: int) -> float:
        return self.bps * self._share(width_px * height_px)

    def hardest_at(self, width_px: int, height_px: int) -> float:
        return self.hardest_bps * self._share(width_px * height_px)

    def _share(self, pixels: int) -> float:
        return float((pixels / self.pixels) ** self.exponent)


def of_copy(average_bps: float, width_px: int, height_px: int) -> Difficulty:
    """Of a source that is played as it is: it needs what it has, at most."""
    return Difficulty(bps=average_bps, hardest_bps=float("inf"), pixels=width_px * height_px)


def of_samples(samples: Sequence[Sample], fps: float, segment_s: float) -> Difficulty | None:
    """Of moments that were coded at one size or two; None of none."""
    by_pixels: dict[int, list[float]] = {}
    for sample in samples:
        frames = max(1.0, fps * segment_s)
        size_bytes = sample.key_bytes + sample.other_bytes * (frames - 1)
        by_pixels.setdefault(sample.pixels, []).append(size_bytes * 8 / segment_s)
    if not by_pixels:
        return None
    least, most = min(by_pixels), max(by_pixels)
    means = {pixels: max(1.0, sum(rates) / len(rates)) for pixels, rates in by_pixels.items()}
    exponent = _EXPONENT
    if least < most:
        exponent = min(max(log(means[most] / means[least]) / log(most / least), _EXPONENTS[0]), _EXPONENTS[1])
    return Difficulty(bps=means[most], hardest_bps=max(1.0, *by_pixels[most]), pixels=most, exponent=exponent)


def worth_making(sizes: Sequence[Size], difficulty: Difficulty, above_bps: float | None = None) -> tuple[Size, ...]:
    """The sizes that are made, tallest first, with caps of their own.

    Args:
        sizes: tallest first.
        above_bps: the rate of a source that is played as it is, above all of them; else the first is always made.
    """
    kept: list[Size] = []
    above = above_bps
    for width_px, height_px, rung in sizes:
        needs = min(difficulty.at(width_px, height_px), rung.maxrate_bps)
        if above is not None and (above <= ENOUGH_BPS or needs > (1 - LEAST_SAVING) * above):
            continue
        hardest = min(_CAP_OF_HARDEST * difficulty.hardest_at(width_px, height_px), float(rung.maxrate_bps))
        cap_bps = round(max(hardest, _LEAST_CAP * rung.maxrate_bps))
        bufsize_bits = max(1, rung.bufsize_bits * cap_bps // rung.maxrate_bps)
        kept.append((width_px, height_px, attrs.evolve(rung, maxrate_bps=cap_bps, bufsize_bits=bufsize_bits)))
        above = needs
    return tuple(kept)
