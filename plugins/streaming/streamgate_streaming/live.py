"""The sessions this process knows, in memory: whose they are, how fresh their decision is, whether they are over.

Freshness is never stored: after a restart, or in another replica, each session is decided again before its first
byte.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator

import attrs

from streamgate.context import Actor
from streamgate.contracts.auth import Decision

from .extent import ALL, Extent, extent_of, is_preview, narrower
from .lease import NO_LEASE, Lease
from .session_repository import StoredSession

_MAX_ENDED = 20_000


@attrs.define(eq=False)
class LiveSession:
    """Args:
    is_preview: nothing but the beginning was ever open in it.
    is_sealed: it plays what is encrypted.
    decision: the latest that opened something here.
    read_s: when what it rests on was read, by this process's monotonic clock.
    grace: why it goes on without a decision, where it does.
    ended: empty while it runs.
    deciding: the decision under way that everybody waits for.
    at_n: the segment that was asked for last, of whichever rendition.
    keys_asked: so many keys of encrypted segments, since `keys_from_s` by the monotonic clock.
    """

    session_id: str
    content_id: str
    media_version: int
    actor: Actor
    gate_revision: int
    seen_at_s: float
    noted_at_s: float
    is_preview: bool = False
    is_sealed: bool = False
    lease: Lease = NO_LEASE
    extent: Extent = ALL
    decision: Decision | None = None
    read_s: float = -math.inf
    grace: str = ""
    ended: str = ""
    deciding: asyncio.Future[None] | None = None
    keys_from_s: float = -math.inf
    keys_asked: int = 0
    at_n: int = -1

    def take(self, decision: Decision, read_s: float) -> bool:
        """Notes what a decision opens; whether its row should know. An answer that rests on an older reading than the
        one before opens nothing that the newer one has shut, unless the gate was changed meanwhile: what its older
        rule shut says nothing of the new one, whose first answer may rest on a reading that is kept."""
        before = self.decision
        self.grace = ""
        if read_s < self.read_s and decision.gate_revision <= self.gate_revision:
            self.extent = narrower(self.extent, extent_of(decision))
            return False
        was_preview, revision = self.is_preview, self.gate_revision
        self.is_preview, self.extent = is_preview(decision), extent_of(decision)
        self.decision, self.read_s, self.gate_revision = decision, read_s, decision.gate_revision
        if (was_preview, revision) != (self.is_preview, decision.gate_revision):
            return True
        return before is not None and (before.leaf_keys, before.tokens) != (decision.leaf_keys, decision.tokens)


class LiveSessions:
    """By id. What has ended leaves; the newest 20,000 of those are remembered, so that their next request needs no
    look-up, and so that a row read just before the end does not bring one back."""

    def __init__(self) -> None:
        self._running: dict[str, LiveSession] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[LiveSession]:
        return iter(list(self._running.values()))

    def get(self, session_id: str) -> LiveSession | None:
        return self._running.get(session_id)

    def ended(self, session_id: str) -> str:
        """The reason; empty for one that is not known to be over."""
        return self._ended.get(session_id, "")

    def add(self, stored: StoredSession, now_s: float) -> LiveSession:
        """The one for a row, known already or new. The row's actor replaces an older one: roles may have changed."""
        live = self._running.get(stored.session_id)
        if live is None:
            live = LiveSession(
                session_id=stored.session_id,
                content_id=stored.content_id,
                media_version=stored.media_version,
                actor=stored.actor,
                gate_revision=stored.gate_revision,
                seen_at_s=now_s,
                noted_at_s=stored.seen_at_ms / 1000,
                is_preview=stored.is_preview,
                is_sealed=stored.is_sealed,
            )
            self._running[stored.session_id] = live
        else:
            live.actor = stored.actor
            live.seen_at_s = max(live.seen_at_s, now_s)
        return live

    def end(self, session_id: str, reason: str) -> None:
        self._ended[session_id] = reason
        self._ended.move_to_end(session_id)
        while len(self._ended) > _MAX_ENDED:
            self._ended.popitem(last=False)
        live = self._running.pop(session_id, None)
        if live is not None:
            live.ended, live.lease = reason, NO_LEASE

    def leave(self, sessions: Iterable[LiveSession]) -> None:
        """Forgets sessions that are not over; their next request loads them again."""
        for live in sessions:
            self._running.pop(live.session_id, None)
