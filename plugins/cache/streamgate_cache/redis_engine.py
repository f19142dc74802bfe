"""The Redis engine (or Valkey): shared by all processes, slower when it is away, and never wrong.

Keys, for a namespace n: `sg:{n}` is its stamp, `<word>:<count>`: `clear` replaces the word, `delete` counts up.
`sg:{n}:k:<key>` is `<word><expiry><payload>`, and a value under another word than the stamp's is not there: so clearing
takes one command however many entries there are, and they go by their time to live. The word is random, so that a
stamp that Redis has evicted or lost makes everything under it void instead of bringing an old state back. Reading is
one MGET: the expiry (milliseconds since 1970, by the clock of who set it) is only shown; Redis itself ends the value.

**Redis away.** Reads find nothing and writes keep nothing, without waiting (`Breaker`); deletions raise. Whether Redis
comes back empty, as it was, or from an old snapshot cannot be told, and deletions may have been lost: after any loss
this process clears each namespace before it uses it again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from loguru import logger
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from streamgate.contracts.cache import CacheUnavailable
from streamgate.sdk.breaker import Breaker
from streamgate.sdk.clock import SYSTEM_CLOCK, Clock
from streamgate.sdk.redis import TIMEOUT_S, open_redis
from streamgate_cache.engines import Found, Missed, Usage

PAUSE_S = 1.0
MAX_NAMESPACES = 10_000

WORD_CHARS = 32
EXPIRY_CHARS = 13
HEAD_CHARS = WORD_CHARS + EXPIRY_CHARS

_SET = """
local stamp = redis.call('GET', KEYS[1])
if ARGV[4] ~= '' and ARGV[4] ~= stamp then return 0 end
if not stamp then
  stamp = ARGV[1] .. ':0'
  redis.call('SET', KEYS[1], stamp)
end
redis.call('SET', KEYS[2], string.sub(stamp, 1, 32) .. ARGV[2], 'PX', ARGV[3])
return 1
"""

_DELETE = """
local stamp = redis.call('GET', KEYS[1])
local word = stamp and string.sub(stamp, 1, 32)
local there = word and redis.call('GETRANGE', KEYS[2], 0, 31) == word
if word then redis.call('SET', KEYS[1], word .. ':' .. (tonumber(string.sub(stamp, 34)) + 1)) end
redis.call('UNLINK', KEYS[2])
return there and 1 or 0
"""


class RedisCache:
    """See `Engine`. Needs `streamgate-kernel[redis]`.

    Args:
        url: as for `sdk.redis.open_redis`.
    """

    name = "redis"

    def __init__(self, url: str, *, clock: Clock = SYSTEM_CLOCK, timeout_s: float = TIMEOUT_S) -> None:
        self._redis = open_redis(url, timeout_s=timeout_s)
        self._command: Any = self._redis.execute_command
        self._clock = clock
        self._breaker = Breaker(PAUSE_S, clock)
        self._digests: dict[str, str] = {}
        self._losses = 0
        self._cleared: dict[str, int] = {}  # namespace → how many losses were behind it when it was cleared
        self._turn = asyncio.Lock()

    async def get(self, namespace: str, key: str) -> Found | Missed:
        state = _state_key(namespace)
        try:
            stamp, value = await self._quickly(namespace, "MGET", state, f"{state}:k:{key}")
            if stamp is None:
                stamp = await self._ask(namespace, lambda: self._first_stamp(state))
        except CacheUnavailable:
            return Missed("")
        if value is None or value[:WORD_CHARS] != stamp[:WORD_CHARS]:
            return Missed(stamp.decode())
        remaining_ms = int(value[WORD_CHARS:HEAD_CHARS]) - self._clock.now_ms()
        return Found(value[HEAD_CHARS:], max(0, remaining_ms) / 1000, stamp.decode())

    async def set(self, namespace: str, key: str, payload: bytes, ttl_s: float, stamp: str) -> bool:
        lasts_ms = max(1, round(ttl_s * 1000))
        head = f"{self._clock.now_ms() + lasts_ms:013}".encode()
        parts = (_new_word(), head + payload, lasts_ms, stamp)
        try:
            if (digest := self._digests.get(_SET)) is not None:
                state = _state_key(namespace)
                with suppress(NoScriptError, OutOfMemoryError):
                    command = ("EVALSHA", digest, 2, state, f"{state}:k:{key}", *parts)
                    return bool(await self._quickly(namespace, *command))
            return bool(await self._ask(namespace, lambda: self._evaluate(_SET, namespace, key, *parts)))
        except CacheUnavailable:
            return False

    async def delete(self, namespace: str, key: str) -> bool:
        return bool(await self._ask(namespace, lambda: self._evaluate(_DELETE, namespace, key)))

    async def clear(self, namespace: str) -> None:
        await self._reach(lambda: self._redis.set(_state_key(namespace), f"{_new_word()}:0"))

    async def usage(self) -> Usage:
        try:
            memory, stats, entries = await self._reach(
                lambda: asyncio.gather(self._redis.info("memory"), self._redis.info("stats"), self._redis.dbsize())
            )
        except CacheUnavailable:
            return Usage(entries=0, size_bytes=0, evictions=0)
        return Usage(entries=entries, size_bytes=memory["used_memory"], evictions=stats["evicted_keys"])

    async def probe(self) -> str:
        await self._reach(self._redis.ping, is_asked_anyway=True)
        return "redis"

    async def close(self) -> None:
        await self._redis.aclose()

    # --- asking -------------------------------------------------------------------------------------

    async def _ask(self, namespace: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Asks about a namespace that can be trusted. Raises CacheUnavailable."""
        while self._cleared.get(namespace, 0) != self._losses:
            async with self._turn:
                losses = self._losses
                if self._cleared.get(namespace, 0) != losses:
                    await self.clear(namespace)
                    if len(self._cleared) >= MAX_NAMESPACES:
                        self._cleared.clear()
                    self._cleared[namespace] = losses
        return await self._reach(ask)

    async def _quickly(self, namespace: str, *command: bytes | str | int) -> Any:
        """One command, without layers of calls between where all is well: these are most of what is asked."""
        if self._cleared.get(namespace, 0) != self._losses or self._breaker.is_open:
            return await self._ask(namespace, lambda: self._command(*command))
        try:
            return await self._command(*command)
        except (NoScriptError, OutOfMemoryError):
            raise  # it is there; `_ask` knows what to do
        except (RedisError, OSError) as fault:
            raise self._lost(fault) from fault

    async def _first_stamp(self, state: str) -> bytes:
        """Gives the namespace one where it has none yet; a race has one winner."""
        await self._redis.set(state, f"{_new_word()}:0", nx=True)
        found = await self._redis.get(state)
        return found if isinstance(found, bytes) else b""

    async def _evaluate(self, script: str, namespace: str, key: str, *parts: bytes | str | int) -> Any:
        state = _state_key(namespace)
        keys = (state, f"{state}:k:{key}")
        digest = self._digests.get(script)
        if digest is not None:
            try:
                return await self._command("EVALSHA", digest, 2, *keys, *parts)
            except NoScriptError:  # Redis has been restarted
                pass
        self._digests[script] = await self._redis.script_load(script)
        return await self._command("EVALSHA", self._digests[script], 2, *keys, *parts)

    async def _reach(self, ask: Callable[[], Awaitable[Any]], *, is_asked_anyway: bool = False) -> Any:
        if not self._breaker.allows() and not is_asked_anyway:
            raise CacheUnavailable("Redis does not answer", retry_after_s=PAUSE_S)
        try:
            answer = await ask()
        except NoScriptError:  # it is there, and has been restarted
            self._breaker.worked()
            raise
        except OutOfMemoryError as fault:  # it is there, and full without a rule of what may go
            raise CacheUnavailable("Redis is full", retry_after_s=PAUSE_S) from fault
        except (RedisError, OSError) as fault:
            raise self._lost(fault) from fault
        self._breaker.worked()
        return answer

    def _lost(self, fault: Exception) -> CacheUnavailable:
        if not self._breaker.is_open:
            logger.bind(error=repr(fault)).warning("Redis is away; going on without it")
        self._breaker.failed()
        self._losses += 1
        return CacheUnavailable("Redis does not answer", retry_after_s=PAUSE_S)


def _state_key(namespace: str) -> str:
    return f"sg:{{{namespace}}}"


def _new_word() -> str:
    return uuid.uuid4().hex
