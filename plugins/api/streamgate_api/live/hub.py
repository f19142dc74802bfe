"""Who is looking in this process, and what is new for each of them.

A person who reads slowly loses progress first (the newest tells all). Changes of state are lost only all at once, and
then the person is told that there is a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, get_args

import attrs
from prometheus_client import Counter, Gauge

from streamgate.contracts.live import LiveKind, LiveUpdate
from streamgate.errors import FieldError, Invalid, TooMany
from streamgate.events import Received
from streamgate.sdk.clock import Clock, rfc3339

KINDS: tuple[str, ...] = get_args(LiveKind)
MAX_WAITING = 256
"""Updates for one connection that it has not taken yet."""

STREAMS = Gauge("streamgate_api_streams", "Open live connections", ["transport"])
LOST = Counter("streamgate_api_live_lost_total", "Updates that a slow connection did not get", ["what"])


class TooManyStreams(TooMany):
    code, title = "events.too_many", "Too many live connections"


@attrs.frozen(kw_only=True)
class Interest:
    """What somebody wants to hear of: all kinds and contents where none are named."""

    kinds: frozenset[str] = frozenset()
    content_id: str = ""

    def includes(self, update: LiveUpdate) -> bool:
        return (not self.kinds or update.kind in self.kinds) and self.content_id in ("", update.content_id)


def interest_of(kinds: str, content_id: str) -> Interest:
    """`?kinds=upload,media&content_id=c_…`. Raises Invalid."""
    wanted = frozenset(kind for kind in kinds.split(",") if kind)
    unknown = sorted(wanted.difference(KINDS))
    if unknown:
        message = f"is not a kind; there are {', '.join(KINDS)}"
        raise Invalid(
            "the query is not valid", errors=tuple(FieldError("kinds", f"{kind} {message}") for kind in unknown)
        )
    return Interest(kinds=wanted, content_id=content_id)


@attrs.frozen
class Event:
    """What a connection is told: its name, and its data as JSON values."""

    name: str
    data: dict[str, Any]


GAP = Event("gap", {"detail": "updates were lost; read again what you show"})


class Watcher:
    """One connection's updates that wait."""

    def __init__(self, owner: str, interest: Interest) -> None:
        self.owner = owner
        self.interest = interest
        self._waiting: deque[tuple[bool, Event]] = deque()  # whether it is mere progress
        self._is_new = asyncio.Event()

    def offer(self, update: LiveUpdate, at: str) -> None:
        if not self.interest.includes(update):
            return
        is_progress = update.event.endswith(".progress")
        known = {"kind": update.kind, "id": update.id, "content_id": update.content_id, "at": at}
        if len(self._waiting) >= MAX_WAITING:
            self._make_room()
        self._waiting.append((is_progress, Event(update.event, {**known, "data": update.data})))
        self._is_new.set()

    def tell_gap(self) -> None:
        """What waits is of no use any more: the person reads everything again."""
        self._waiting.clear()
        self._waiting.append((False, GAP))
        self._is_new.set()

    async def next(self, longest_s: float) -> list[Event]:
        """What waits; empty when nothing came for so long."""
        try:
            async with asyncio.timeout(longest_s):
                await self._is_new.wait()
        except TimeoutError:
            return []
        self._is_new.clear()
        taken = [event for _, event in self._waiting]
        self._waiting.clear()
        return taken

    def _make_room(self) -> None:
        for place, (is_progress, _) in enumerate(self._waiting):
            if is_progress:
                del self._waiting[place]
                LOST.labels("progress").inc()
                return
        LOST.labels("state").inc(len(self._waiting))
        self.tell_gap()


class Hub:
    """Args:
    per_person, per_process: most connections at once.
    """

    def __init__(self, clock: Clock, *, per_person: int, per_process: int) -> None:
        self._clock = clock
        self._per_person = per_person
        self._per_process = per_process
        self._watchers: dict[str, set[Watcher]] = {}
        self._count = 0

    def enter(self, owner: str, interest: Interest) -> Watcher:
        """Raises TooManyStreams."""
        own = self._watchers.get(owner, set())
        if len(own) >= self._per_person:
            said = f"{self._per_person} live connections are open already; close one, or let them share"
            raise TooManyStreams(said, retry_after_s=5)
        if self._count >= self._per_process:
            raise TooManyStreams("this server has as many live connections as it takes", retry_after_s=5)
        watcher = Watcher(owner, interest)
        self._watchers[owner] = own | {watcher}
        self._count += 1
        return watcher

    def leave(self, watcher: Watcher) -> None:
        own = self._watchers[watcher.owner] - {watcher}
        self._count -= 1
        if own:
            self._watchers[watcher.owner] = own
        else:
            del self._watchers[watcher.owner]

    @property
    def count(self) -> int:
        return self._count

    async def on_update(self, received: Received[LiveUpdate]) -> None:
        watchers = self._watchers.get(received.body.owner)
        if watchers:
            at = rfc3339(self._clock.now_ms())
            for watcher in watchers:
                watcher.offer(received.body, at)

    async def resync(self) -> None:
        """The bus was away: who knows what was said meanwhile."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.tell_gap()
