"""How many requests are left to somebody: a bucket that refills evenly, kept as one number (GCRA).

The number is the time at which the bucket will be full again. In memory, or in Redis by a script that reads and
writes it in one step, by Redis' own clock. Redis being away makes limits those of one process, never none.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from loguru import logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

PERIOD_S = 60.0
MAX_KEYS = 100_000  # of a kind, in memory: what was used least goes first
AWAY_S = 2.0
"""Redis that did not answer is not asked for so long: each question would wait for its time limit."""

_SCRIPT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local step, depth = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if full + step - now > depth then
  return {full - now, full + step - now - depth}
end
full = full + step
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000) + 1)
return {full - now, 0}
"""


class Spent(NamedTuple):  # made for each request: an attrs class that is frozen takes three times as long
    """One request counted, or refused. `reset_s`: until the bucket is full; `retry_after_s`: until there is one."""

    limit: int
    reset_s: float
    retry_after_s: float = 0.0

    @property
    def is_allowed(self) -> bool:
        return not self.retry_after_s

    @property
    def remaining(self) -> int:
        return max(0, int((PERIOD_S - self.reset_s) * self.limit / PERIOD_S + 1e-6))


class MemoryRates:
    """Buckets of this process, bounded."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS) -> None:
        self._now_s = now_s
        self._max_keys = max_keys
        self._full_at_s: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_s)

    def spend(self, key: str, per_minute: int) -> Spent:
        now_s = self._now_s()
        kept = self._full_at_s
        full_at_s = kept.get(key, 0.0)
        if full_at_s < now_s:
            full_at_s = now_s
        full_in_s = full_at_s + PERIOD_S / per_minute - now_s
        if full_in_s > PERIOD_S:
            return Spent(per_minute, full_at_s - now_s, full_in_s - PERIOD_S)
        kept[key] = now_s + full_in_s
        kept.move_to_end(key)
        if len(kept) > self._max_keys:
            kept.popitem(last=False)
        return Spent(per_minute, full_in_s)


class SharedRates:
    """Buckets of all processes, in Redis.

    Args:
        redis: its owner closes it.
    """

    def __init__(self, redis: Redis, now_s: Callable[[], float] = time.monotonic, prefix: str = "streamgate:") -> None:
        self._script = redis.register_script(_SCRIPT)
        self._now_s = now_s
        self._prefix = prefix
        self._away = Away("rate limits", now_s)

    async def spend(self, key: str, per_minute: int) -> Spent | None:
        """None while Redis is away."""
        step_us = math.ceil(PERIOD_S * 1e6 / per_minute)
        arguments = (step_us, step_us * per_minute)
        found: list[int] | None = await self._away.guard(
            lambda: self._script(keys=[self._prefix + key], args=arguments)
        )
        if found is None:
            return None
        until_full_us, wait_us = found
        return Spent(per_minute, until_full_us / 1e6, wait_us / 1e6)


class Away:
    """Whether a Redis that did not answer is asked again yet. `what` is done without it meanwhile."""

    def __init__(self, what: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._now_s = now_s
        self._until_s = 0.0
        self._is_away = False

    async def guard(self, ask: Callable[[], Awaitable[T]]) -> T | None:
        """The answer; None where it is away, or was a moment ago."""
        from redis.exceptions import RedisError

        if self._now_s() < self._until_s:
            return None
        try:
            answer = await ask()
        except (TimeoutError, RedisError, OSError) as fault:
            self._until_s = self._now_s() + AWAY_S
            if not self._is_away:
                logger.bind(error=repr(fault)).warning(f"Redis is away: {self._what} are this process' own")
            self._is_away = True
            return None
        if self._is_away:
            logger.info(f"Redis is back: {self._what} are shared again")
        self._is_away = False
        return answer


class Limiter:
    """One kind of limit: by address, person or API key."""

    def __init__(self, kind: str, shared: SharedRates | None, now_s: Callable[[], float] = time.monotonic) -> None:
        self.kind = kind
        self._shared = shared
        self._own = MemoryRates(now_s)

    async def spend(self, key: str, per_minute: int) -> Spent:
        if self._shared is not None:
            found = await self._shared.spend(f"{self.kind}:{key}", per_minute)
            if found is not None:
                return found
        return self._own.spend(key, per_minute)
