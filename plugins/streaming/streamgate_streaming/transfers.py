"""Tokens that moved and gates that changed lately, as this process has heard: who gave or got a token, and the block
that showed it; the gate's new revision.

What is in here is asked about with that block and that revision, so that no older answer opens anything: one that auth
kept, or one that was under way while the token moved or the gate changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from streamgate.context import Actor
from streamgate.contracts.auth import DecideQuery
from streamgate.contracts.events import TokenTransferred
from streamgate.sdk.clock import Clock

KEPT_S = 600.0
"""As long as auth may keep an answer; a node that is so far behind is none."""
MAX_PEOPLE = 20_000
MAX_GATES = 20_000


class Transfers:
    """Args:
    max_age_s: an older read is of no use; half a lease, so that an answer always leaves the other half.
    """

    def __init__(self, clock: Clock, *, max_age_s: float) -> None:
        self._clock = clock
        self._max_age_s = max_age_s
        self._moved: OrderedDict[str, tuple[float, dict[str, int]]] = OrderedDict()  # by person: when heard, the blocks
        self._decided: OrderedDict[tuple[str, str], int] = OrderedDict()  # by contract and person: the revision
        self._gates: OrderedDict[str, tuple[float, int]] = OrderedDict()  # by content: when heard, the revision

    def question(self, content_id: str, actor: Actor) -> DecideQuery:
        """What auth is asked; equal to an earlier one unless a token of this person has moved since, or the gate of the
        content has changed."""
        return DecideQuery(
            content_id=content_id,
            actor=actor,
            min_block=self._blocks_of(actor.user_id),
            max_age_s=self._max_age_s,
            min_revision=self.revision_of(content_id),
        )

    def note(self, moved: TokenTransferred) -> None:
        for user_id in moved.user_ids:
            blocks = dict(self._blocks_of(user_id))
            blocks[moved.chain] = max(moved.block_number, blocks.get(moved.chain, 0))
            self._moved[user_id] = (self._clock.monotonic_s(), blocks)
            self._moved.move_to_end(user_id)
        _bound(self._moved)

    def note_gate(self, content_id: str, revision: int) -> None:
        self._gates[content_id] = (self._clock.monotonic_s(), max(revision, self.revision_of(content_id)))
        self._gates.move_to_end(content_id)
        while len(self._gates) > MAX_GATES:
            self._gates.popitem(last=False)

    def revision_of(self, content_id: str) -> int:
        """The newest of its gate that was heard of lately; 0: none."""
        heard_at_s, revision = self._gates.get(content_id, (0.0, 0))
        if revision and self._clock.monotonic_s() - heard_at_s > KEPT_S:
            del self._gates[content_id]
            return 0
        return revision

    def undecided(self, moved: TokenTransferred) -> tuple[str, ...]:
        """The people of an event about whom no such late one was decided here. By person: events of one contract that
        name different people may come in any order."""
        return tuple(
            user_id
            for user_id in dict.fromkeys(moved.user_ids)
            if self._decided.get((moved.subject_id, user_id), -1) < moved.revision
        )

    def note_decided(self, moved: TokenTransferred, user_ids: Collection[str]) -> None:
        for user_id in user_ids:
            key = (moved.subject_id, user_id)
            self._decided[key] = max(moved.revision, self._decided.get(key, -1))
            self._decided.move_to_end(key)
        _bound(self._decided)

    def _blocks_of(self, user_id: str) -> dict[str, int]:
        heard_at_s, blocks = self._moved.get(user_id, (0.0, {}))
        if blocks and self._clock.monotonic_s() - heard_at_s > KEPT_S:
            del self._moved[user_id]
            return {}
        return blocks


def _bound(remembered: OrderedDict[str, tuple[float, dict[str, int]]] | OrderedDict[tuple[str, str], int]) -> None:
    while len(remembered) > MAX_PEOPLE:
        remembered.popitem(last=False)
