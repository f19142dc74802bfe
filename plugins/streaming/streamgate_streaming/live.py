"""The sessions this process knows, in memory: whose they are, how fresh their decision is, whether they are over.

Freshness is never stored: after a restart, or in another replica, each session is decided again before its first
byte.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator

import attrs

from streamgate.context import Actor

from .lease import NO_LEASE, Lease
from .session_repository import StoredSession

_MAX_ENDED = 20_000


@attrs.define(eq=False)
class LiveSession:
    """`ended` is empty while it runs. `deciding` is the decision under way that everybody waits for."""

    session_id: str
    content_id: str
    media_version: int
    actor: Actor
    gate_revision: int
    seen_at_s: float
    noted_at_s: float
    lease: Lease = NO_LEASE
    ended: str = ""
    deciding: asyncio.Future[None] | None = None


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
