"""The memory engine: least recently used goes first, bounded by bytes and by entries.

Values are kept encoded: what a caller does to its own copy later changes nothing here, and the bytes are
counted as they are. Each namespace has entries of its own, in the order of their use; which of them holds the oldest
entry of all is told by a count of uses. Clearing one puts its dictionary aside, because freeing a hundred thousand
entries takes as long as twenty thousand reads: they go a few at a time, and first where room is needed.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict

import attrs

from streamgate.sdk.clock import Clock
from streamgate_cache.engines import Found, Missed, Usage

MAX_STATES = 10_000
"""Namespaces whose state is remembered while they are empty."""
FREED_AT_ONCE = 16
"""Entries of cleared namespaces let go of by each `set`."""


@attrs.define(slots=True)
class _Kept:
    """`expires_at_s` is on the monotonic clock."""

    payload: bytes
    expires_at_s: float
    size_bytes: int
    used: int


@attrs.define
class _Namespace:
    entries: OrderedDict[str, _Kept] = attrs.field(factory=OrderedDict)
    size_bytes: int = 0


@attrs.define
class MemoryCache:
    """See `Engine`.

    Args:
        max_bytes: of keys (with their namespaces) and values together.
    """

    max_bytes: int
    max_entries: int
    clock: Clock
    name: str = attrs.field(default="memory", init=False)
    evictions: int = 0
    size_bytes: int = 0
    entries: int = 0
    _namespaces: dict[str, _Namespace] = attrs.field(factory=dict)
    _old: list[OrderedDict[str, _Kept]] = attrs.field(factory=list)
    _old_bytes: int = 0
    _old_entries: int = 0
    _states: dict[str, int] = attrs.field(factory=dict)  # namespace → its last deletion
    _state_of_others: int = 0
    _turn: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))

    async def get(self, namespace: str, key: str) -> Found | Missed:
        """The entry, now the most recently used one."""
        home = self._namespaces.get(namespace)
        kept = None if home is None else home.entries.get(key)
        if home is None or kept is None:
            return Missed(self._stamp(namespace))
        remaining_s = kept.expires_at_s - self.clock.monotonic_s()
        if remaining_s <= 0:
            self._drop(namespace, home, key)
            return Missed(self._stamp(namespace))
        kept.used = next(self._turn)
        home.entries.move_to_end(key)
        return Found(kept.payload, remaining_s, self._stamp(namespace))

    async def set(self, namespace: str, key: str, payload: bytes, ttl_s: float, stamp: str) -> bool:
        """Replaces what was there. What is larger than the whole cache is not kept at all."""
        if stamp and stamp != self._stamp(namespace):
            return False
        home = self._namespaces.get(namespace)
        if home is not None and key in home.entries:
            self._drop(namespace, home, key)
        size_bytes = len(payload) + len(namespace.encode()) + len(key.encode())
        if size_bytes > self.max_bytes:
            return False
        home = self._namespaces.setdefault(namespace, _Namespace())
        expires_at_s = self.clock.monotonic_s() + ttl_s
        home.entries[key] = _Kept(payload, expires_at_s, size_bytes, next(self._turn))
        home.size_bytes += size_bytes
        self.size_bytes += size_bytes
        self.entries += 1
        self._free(FREED_AT_ONCE)
        while self.size_bytes + self._old_bytes > self.max_bytes or self.entries + self._old_entries > self.max_entries:
            if not self._free(1):
                self._evict()
        return True

    async def delete(self, namespace: str, key: str) -> bool:
        self._change_state(namespace)
        home = self._namespaces.get(namespace)
        kept = None if home is None else home.entries.get(key)
        if home is None or kept is None:
            return False
        self._drop(namespace, home, key)
        return kept.expires_at_s > self.clock.monotonic_s()

    async def clear(self, namespace: str) -> None:
        self._change_state(namespace)
        home = self._namespaces.pop(namespace, None)
        if home is not None:
            self.size_bytes -= home.size_bytes
            self.entries -= len(home.entries)
            self._old_bytes += home.size_bytes
            self._old_entries += len(home.entries)
            self._old.append(home.entries)

    async def usage(self) -> Usage:
        counts = {name: (len(home.entries), home.size_bytes) for name, home in self._namespaces.items()}
        return Usage(entries=self.entries, size_bytes=self.size_bytes, evictions=self.evictions, namespaces=counts)

    async def probe(self) -> str:
        return "memory"

    async def close(self) -> None:
        self._namespaces.clear()
        self._old.clear()
        self.size_bytes = self.entries = self._old_bytes = self._old_entries = 0

    # --- inside -------------------------------------------------------------------------------------

    def _evict(self) -> None:
        """The least recently used entry of all: the first of one of the namespaces."""
        name, home = min(self._namespaces.items(), key=lambda item: next(iter(item[1].entries.values())).used)
        self._drop(name, home, next(iter(home.entries)))
        self.evictions += 1

    def _free(self, at_most: int) -> bool:
        """Lets go of entries of cleared namespaces. Whether there were any."""
        if not self._old:
            return False
        for _ in range(min(at_most, len(self._old[-1]))):
            self._old_bytes -= self._old[-1].popitem()[1].size_bytes
            self._old_entries -= 1
        if not self._old[-1]:
            self._old.pop()
        return True

    def _drop(self, namespace: str, home: _Namespace, key: str) -> None:
        kept = home.entries.pop(key)
        home.size_bytes -= kept.size_bytes
        self.size_bytes -= kept.size_bytes
        self.entries -= 1
        if not home.entries:
            del self._namespaces[namespace]

    def _stamp(self, namespace: str) -> str:
        return str(self._states.get(namespace, self._state_of_others))

    def _change_state(self, namespace: str) -> None:
        """Numbers are never used twice, so forgetting some of them can only make stamps void."""
        if len(self._states) >= MAX_STATES and namespace not in self._states:
            self._states.clear()
            self._state_of_others = next(self._turn)
        self._states[namespace] = next(self._turn)
