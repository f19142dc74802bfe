"""Which bytes of a picture are encrypted (ISO/IEC 23001-7 section 9.5.2): of each slice its data, in whole blocks.

What a player reads before it decrypts stays clear: lengths and headers of NAL units, parameter sets, SEI, and the
beginning of each slice, where its header is.
"""

from __future__ import annotations

import struct

from .boxes import UnknownLayout

BLOCK_BYTES = 16
CLEAR_BYTES = 32
"""At the beginning of a slice at least: length (4), type (1), and its header."""
MOST_ENCRYPTED = 38
"""Runs in a sample: its description has to fit into 255 bytes (saiz), with room for what is clear in between."""
_MAX_CLEAR = 0xFFFF
_SLICES = range(1, 6)  # nal_unit_type, ISO/IEC 14496-10 table 7-1

Subsample = tuple[int, int]
"""Clear bytes, then encrypted ones."""


def subsamples_of(sample: memoryview) -> list[Subsample]:
    """The map of an H.264 sample with lengths of four bytes; its sums fill the sample.

    Where there are more slices than a description has room for, the smallest of them stay clear.

    Raises:
        UnknownLayout: the NAL units do not fill the sample.
    """
    units = _units(sample)
    encrypted = [_encrypted_bytes(size) if kind in _SLICES else 0 for kind, size in units]
    if sum(1 for each in encrypted if each) > MOST_ENCRYPTED:
        kept = sorted(range(len(units)), key=lambda at: -encrypted[at])[:MOST_ENCRYPTED]
        encrypted = [each if at in set(kept) else 0 for at, each in enumerate(encrypted)]
    found: list[Subsample] = []
    clear = 0
    for (_, size), count in zip(units, encrypted, strict=True):
        clear += size - count
        if count:
            found += _clear_runs(clear, count)
            clear = 0
    if clear:
        found += _clear_runs(clear, 0)
    return found


def _clear_runs(clear: int, encrypted: int) -> list[Subsample]:
    """A clear run is told in 16 bits; a longer one takes several."""
    runs: list[Subsample] = []
    while clear > _MAX_CLEAR:
        runs.append((_MAX_CLEAR, 0))
        clear -= _MAX_CLEAR
    return [*runs, (clear, encrypted)]


def _encrypted_bytes(size: int) -> int:
    return max(0, (size - CLEAR_BYTES) // BLOCK_BYTES * BLOCK_BYTES)


def _units(sample: memoryview) -> list[tuple[int, int]]:
    """(nal_unit_type, size with its length) of each NAL unit."""
    units, at = [], 0
    while at < len(sample):
        if at + 5 > len(sample):
            raise UnknownLayout("a NAL unit is cut off")
        (length,) = struct.unpack_from(">I", sample, at)
        if length == 0 or at + 4 + length > len(sample):
            raise UnknownLayout("a NAL unit is longer than its sample")
        units.append((sample[at + 4] & 0x1F, 4 + length))
        at += 4 + length
    return units
