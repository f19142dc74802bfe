"""Values that are read often and change seldom: loaded once, kept a short while, dropped when they change.

    contents = Cached("metadata.contents", Content, ctx.events, ttl_s=5)
    content = await contents.get_or_load(content_id, lambda: self._db.read(load))
    ...
    await self._db.write(change)
    await contents.drop(content_id)                          # after the commit, before the caller is answered

    collect_subscriptions → [*contents.subscriptions()]

**How stale a value can be.** In the process that drops: not at all. A load that began before the drop is given to
those who asked before it and kept for nobody. In other processes: until the drop is heard (milliseconds), and at most
`ttl_s` where it is lost. With a `far` cache another `far_ttl_s`, and only where a process died between its commit and
its drop, or could not reach the far cache: that process stops reading it until it has cleared the namespace.

**Stampedes.** A thousand callers that miss at once make one load in each process; processes do not wait for each other.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import attrs
from loguru import logger
from prometheus_client import Counter

from streamgate.context import CallContext, current_call, use_call
from streamgate.contracts.cache import (
    CACHE_DROPPED,
    Cache,
    CacheDropped,
    CacheEntry,
    CacheKey,
    CacheNamespace,
    CacheSet,
)
from streamgate.errors import StreamgateError
from streamgate.events import Events, EventSubscription, Received, on_everyone
from streamgate.sdk.breaker import Breaker
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.wire import from_plain, to_plain

T = TypeVar("T")
R = TypeVar("R")

FAR_PAUSE_S = 5.0

READS = Counter(
    "streamgate_cached_reads_total",
    "Reads of values kept in this process: near (kept here), joined (another's load), far (shared cache), load.",
    ["namespace", "outcome"],
)


@attrs.frozen
class _Kept(Generic[T]):
    value: T
    until_s: float


class Cached(Generic[T]):
    """One kind of value, by key.

    Args:
        namespace: of the cache, and what tells it from others on the bus.
        kind: class of the values, for their way through the far cache.
        ttl_s: how long a value is kept here.
        max_entries: values kept here at most; the least recently used goes first.
        far: a cache that processes share, worth its round trip only where loading costs far more.
        far_ttl_s: how long a value is kept there.
    """

    def __init__(
        self,
        namespace: str,
        kind: type[T],
        events: Events,
        *,
        ttl_s: float,
        max_entries: int = 10_000,
        far: Cache | None = None,
        far_ttl_s: float = 30.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._namespace = namespace
        self._kind = kind
        self._events = events
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._clock = clock
        self._far = None if far is None else _Far(far, namespace, far_ttl_s, clock)
        self._kept: OrderedDict[str, _Kept[T]] = OrderedDict()
        self._flights: dict[str, asyncio.Task[T | None]] = {}
        self._sender = uuid.uuid4().hex
        self._counts = {outcome: READS.labels(namespace, outcome) for outcome in ("near", "joined", "far", "load")}

    def __len__(self) -> int:
        return len(self._kept)

    def subscriptions(self) -> Sequence[EventSubscription]:
        """What the plugin adds to its own: drops of other processes. After a gap everything kept here goes."""
        return [on_everyone(CACHE_DROPPED, self._on_dropped, resync=self._resync)]

    async def get_or_load(self, key: str, load: Callable[[], Awaitable[T | None]]) -> T | None:
        """The value, from here, from a load under way, from the far cache, or from `load`.

        `load` must not depend on who asks. None (there is no such thing) is not kept; what it raises comes out at
        everybody who waited for it.
        """
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic_s() < kept.until_s:
            self._kept.move_to_end(key)
            self._counts["near"].inc()
            return kept.value
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, load), name=f"load {self._namespace}")
            self._flights[key] = flight
            flight.add_done_callback(_look)
        else:
            self._counts["joined"].inc()
        return await asyncio.shield(flight)

    async def drop(self, *keys: str) -> None:
        """Forgets keys everywhere. When it returns nobody in this process is given what was true before."""
        self._forget(keys)
        if self._far is not None:
            await self._far.delete(keys)
            self._forget(keys)  # what was read from there meanwhile
        await self._events.broadcast(
            CACHE_DROPPED, CacheDropped(namespace=self._namespace, keys=keys, sender=self._sender)
        )

    async def clear(self) -> None:
        """Forgets everything everywhere, like `drop`."""
        await self.drop()

    # --- loading ------------------------------------------------------------------------------------

    async def _fly(self, key: str, load: Callable[[], Awaitable[T | None]]) -> T | None:
        me = asyncio.current_task()
        call = current_call()
        try:
            # Others join it later and have more time: the first caller's deadline is not the load's.
            with use_call(CallContext(request_id=call.request_id, actor=call.actor, traceparent=call.traceparent)):
                found = None if self._far is None else await self._far.get(key)
                if found is not None and found.found:
                    self._counts["far"].inc()
                    value: T | None = from_plain(self._kind, found.value)
                else:
                    self._counts["load"].inc()
                    value = await load()
                is_current = self._flights.get(key) is me
                if value is not None and is_current:
                    self._keep(key, value)
                    if self._far is not None and found is not None and not found.found:
                        await self._far.set(key, to_plain(value), found.stamp)
                return value
        finally:
            if self._flights.get(key) is me:
                del self._flights[key]

    def _keep(self, key: str, value: T) -> None:
        self._kept[key] = _Kept(value, self._clock.monotonic_s() + self._ttl_s)
        self._kept.move_to_end(key)
        while len(self._kept) > self._max_entries:
            self._kept.popitem(last=False)

    # --- forgetting ---------------------------------------------------------------------------------

    def _forget(self, keys: Sequence[str]) -> None:
        """Loads under way go on for those who wait for them, and are kept for nobody."""
        if not keys:
            self._kept.clear()
            self._flights.clear()
        for key in keys:
            self._kept.pop(key, None)
            self._flights.pop(key, None)

    async def _on_dropped(self, event: Received[CacheDropped]) -> None:
        if event.body.namespace == self._namespace and event.body.sender != self._sender:
            self._forget(event.body.keys)

    async def _resync(self) -> None:
        self._forget(())


class _Far:
    """The shared cache, which may be away: then it is left out, and cleared before it is read again."""

    def __init__(self, cache: Cache, namespace: str, ttl_s: float, clock: Clock) -> None:
        self._cache = cache
        self._namespace = namespace
        self._ttl_s = ttl_s
        self._breaker = Breaker(FAR_PAUSE_S, clock)
        self._doubts = 0  # drops that did not reach it: what is there may be older
        self._settled = 0  # as many of them are behind the last clearing

    async def get(self, key: str) -> CacheEntry | None:
        """None: it cannot be asked now."""
        return await self._ask(lambda: self._cache.get(CacheKey(key=key, namespace=self._namespace)))

    async def set(self, key: str, value: object, stamp: str) -> None:
        if stamp:
            entry = CacheSet(key=key, value=value, namespace=self._namespace, ttl_s=self._ttl_s, stamp=stamp)
            await self._ask(lambda: self._cache.set(entry))

    async def delete(self, keys: Sequence[str]) -> None:
        """Nothing read from there before counts afterwards, even where it cannot be reached now."""
        if not keys:
            self._doubts += 1
            await self._ask(_nothing)
        for key in keys:
            wanted = CacheKey(key=key, namespace=self._namespace)
            if await self._ask(lambda wanted=wanted: self._cache.delete(wanted)) is None:  # type: ignore[misc]
                self._doubts += 1

    async def _ask(self, question: Callable[[], Awaitable[R]]) -> R | None:
        if not self._breaker.allows():
            return None
        try:
            if (doubts := self._doubts) > self._settled:
                await self._cache.clear(CacheNamespace(namespace=self._namespace))
                self._settled = max(self._settled, doubts)
            answer = await question()
        except StreamgateError as fault:
            self._breaker.failed()
            logger.bind(namespace=self._namespace, code=fault.code).warning("shared cache is away; done without")
            return None
        self._breaker.worked()
        return answer


async def _nothing() -> None:
    return None


def _look(flight: asyncio.Task[object]) -> None:
    """Everybody who waited may have been cancelled: its fault is nobody's then."""
    if not flight.cancelled():
        flight.exception()
