"""What k endpoints say alike. One that lies can then neither open a gate nor end anybody's playback alone: with a
quorum a yes and a no both need it, and what is short of it is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import TypeVar

V = TypeVar("V", bound=Hashable)


def agreed(votes: Iterable[V], quorum: int) -> tuple[V, int] | None:
    """What so many say, and how many they are; None where nothing has so many, or two different things have."""
    counted = Counter(votes).most_common(2)
    if not counted or counted[0][1] < quorum:
        return None
    if len(counted) == 2 and counted[1][1] >= quorum:
        return None
    return counted[0]
