"""How objects in S3 become the parts of another one."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

COPY_BYTES = 256 * 1024 * 1024
"""Most of one part that S3 copies by itself: several go side by side, and each is done before the client gives up."""
COPIES_MAX = 5_000


@attrs.frozen
class Slice:
    """Bytes of an object, from `start` on."""

    key: str
    start: int
    length: int


def plan_parts(sources: Sequence[tuple[str, int]], min_part_bytes: int) -> list[list[Slice]]:
    """Parts in order. One of a single slice can be copied inside the store. Only at the end of a source that does
    not end a part, as it would be too small, slices of several sources go together: as many bytes as a part must have.

    Args:
        sources: keys and sizes.
    """
    total_bytes = sum(size_bytes for _, size_bytes in sources)
    most_bytes = max(COPY_BYTES, min_part_bytes, -(-total_bytes // COPIES_MAX))
    parts: list[list[Slice]] = []
    waiting: list[Slice] = []
    for key, size_bytes in sources:
        start = 0
        while start < size_bytes:
            gathered_bytes = sum(each.length for each in waiting)
            limit_bytes = min_part_bytes - gathered_bytes if waiting else most_bytes
            piece = Slice(key, start, min(size_bytes - start, limit_bytes))
            start += piece.length
            waiting.append(piece)
            if gathered_bytes + piece.length >= min_part_bytes:
                parts.append(waiting)
                waiting = []
    return [*parts, waiting] if waiting else parts
