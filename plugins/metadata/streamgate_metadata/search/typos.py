"""Words near a misspelt one: by one or two insertions, omissions, changes or swaps of neighbours."""

from __future__ import annotations

from collections.abc import Iterable

NEAR_MAX = 8
VOCABULARY_MAX_CHARS = 32
VOCABULARY_MIN_CHARS = 3
CANDIDATES_MAX = 200


def worth_knowing(words: Iterable[str]) -> list[str]:
    """Those that somebody may misspell, each once, sorted (writers that wait for each other do so in one order)."""
    return sorted(
        {word for word in words if VOCABULARY_MIN_CHARS <= len(word) <= VOCABULARY_MAX_CHARS and word.isalpha()}
    )


def nearest(word: str, candidates: Iterable[str], typos: int) -> tuple[str, ...]:
    """Those within so many edits, the nearest first, at most NEAR_MAX."""
    found = [(distance, each) for each in candidates if 0 < (distance := edits(word, each, typos)) <= typos]
    return tuple(each for _, each in sorted(found)[:NEAR_MAX])


def swaps(word: str) -> list[str]:
    """The word with each two neighbours in the other order: short ones share no trigram with it."""
    return [f"{word[:n]}{word[n + 1]}{word[n]}{word[n + 2 :]}" for n in range(len(word) - 1)]


def edits(one: str, other: str, limit: int) -> int:
    """Edits from one to the other; `limit` + 1 for any more."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, sign in enumerate(one, 1):
        older, before, row = before, row, [n]
        for m, match in enumerate(other, 1):
            cost = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (sign != match))
            if n > 1 and m > 1 and sign == other[m - 2] and one[n - 2] == match:
                cost = min(cost, older[m - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)
