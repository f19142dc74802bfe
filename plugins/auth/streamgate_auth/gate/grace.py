"""How long somebody who was let in may go on while the chain cannot be read.

Kept in memory alone: after a restart there is no grace, which errs on the closed side.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_REMEMBERED = 50_000


class Grace:
    """Remembers, for each person and content, when a gate last held and under which revision of its rule."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._held: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    def note(self, user_id: str, content_id: str, revision: int, read_at_s: float) -> None:
        if self._grace_s > 0:
            self._held[user_id, content_id] = (revision, read_at_s)
            self._held.move_to_end((user_id, content_id))
            if len(self._held) > MAX_REMEMBERED:
                self._held.popitem(last=False)

    def forget(self, user_id: str, content_id: str) -> None:
        """A refusal ends it."""
        self._held.pop((user_id, content_id), None)

    def until_s(self, user_id: str, content_id: str, revision: int) -> float:
        """Unix time at which it ends; 0 where there is none."""
        known, read_at_s = self._held.get((user_id, content_id), (None, 0.0))
        return read_at_s + self._grace_s if known == revision else 0.0
