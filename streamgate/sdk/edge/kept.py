"""Where answers are kept for repeated requests: this process, or Redis for all of them.

What is kept is sealed by a key that only the caller's own Idempotency-Key gives: an answer may hold what was shown
once (an API key), and the store is not the place for that.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol

import attrs

from streamgate.sdk.edge.rates import Away

if TYPE_CHECKING:
    from redis.asyncio import Redis

KEPT_S = 24 * 3600.0
MAX_ANSWER_BYTES = 65_536
MAX_ANSWERS = 20_000
MAX_BYTES = 64 * 1024 * 1024  # of all answers in memory
_FINGERPRINT_CHARS = 32

_CLAIM = """
local kept = redis.call('GET', KEYS[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if kept then return {kept, now} end
local running = ARGV[1] .. string.format('r%.0f ', now + ARGV[3]) .. ARGV[2]
redis.call('SET', KEYS[1], running, 'PX', ARGV[4])
return {false, now}
"""


@attrs.frozen(kw_only=True)
class Asked:
    """A request that comes with a key: who asks for what (`name`), what it says, and its id."""

    name: str
    fingerprint: str
    request_id: str


@attrs.frozen(kw_only=True)
class Claim:
    """`new`: it is the caller's to answer; `running`: somebody does; `unknown`: somebody did, and nobody can say how
    it ended; `done`: `sealed` is the answer. `fingerprint`, `request_id`: of the request that was first (the id not
    where it is done)."""

    state: Literal["new", "running", "unknown", "done"]
    fingerprint: str = ""
    request_id: str = ""
    sealed: bytes = b""


class Answers(Protocol):
    """A claim lives for KEPT_S, whatever becomes of the process that made it."""

    async def claim(self, asked: Asked, running_s: float) -> Claim | None:
        """In one step. A claim that after `running_s` is neither kept nor dropped is `unknown`. None: the store is
        away."""

    async def keep(self, asked: Asked, sealed: bytes) -> None:
        """How it ended is known."""

    async def leave(self, asked: Asked) -> None:
        """How it ended will not be known."""

    async def drop(self, asked: Asked) -> None:
        """Nothing was done: the next request with this name is new."""


@attrs.define(kw_only=True)
class _Entry:
    asked: Asked
    sealed: bytes = b""
    runs_until_s: float
    ends_at_s: float


class MemoryAnswers:
    """Bounded: the oldest go first, so that its request would be answered anew."""

    def __init__(
        self, now_s: Callable[[], float] = time.monotonic, max_answers: int = MAX_ANSWERS, max_bytes: int = MAX_BYTES
    ) -> None:
        self._now_s = now_s
        self._max_answers = max_answers
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._size_bytes = 0

    def knows(self, name: str) -> bool:
        entry = self._entries.get(name)
        return entry is not None and self._now_s() < entry.ends_at_s

    async def claim(self, asked: Asked, running_s: float) -> Claim:
        entry = self._entries.get(asked.name)
        now_s = self._now_s()
        if entry is None or now_s >= entry.ends_at_s:
            self._put(_Entry(asked=asked, runs_until_s=now_s + running_s, ends_at_s=now_s + KEPT_S))
            return Claim(state="new", fingerprint=asked.fingerprint)
        first = entry.asked
        if entry.sealed:
            return Claim(state="done", fingerprint=first.fingerprint, sealed=entry.sealed)
        state: Literal["running", "unknown"] = "running" if now_s < entry.runs_until_s else "unknown"
        return Claim(state=state, fingerprint=first.fingerprint, request_id=first.request_id)

    async def keep(self, asked: Asked, sealed: bytes) -> None:
        self._end(asked, sealed)

    async def leave(self, asked: Asked) -> None:
        self._end(asked, b"")

    async def drop(self, asked: Asked) -> None:
        entry = self._entries.pop(asked.name, None)
        self._size_bytes -= len(entry.sealed) if entry is not None else 0

    def _end(self, asked: Asked, sealed: bytes) -> None:
        now_s = self._now_s()
        self._put(_Entry(asked=asked, sealed=sealed, runs_until_s=now_s, ends_at_s=now_s + KEPT_S))

    def _put(self, entry: _Entry) -> None:
        before = self._entries.pop(entry.asked.name, None)
        self._size_bytes += len(entry.sealed) - (len(before.sealed) if before is not None else 0)
        self._entries[entry.asked.name] = entry
        while len(self._entries) > self._max_answers or self._size_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size_bytes -= len(oldest.sealed)


class RedisAnswers:
    """A value is the fingerprint, one sign, and what goes with it: `r` how long it runs, by Redis' clock in
    milliseconds, and the request's id; `u` that id; `d` the sealed answer.

    Args:
        redis: its owner closes it.
    """

    def __init__(
        self, redis: Redis, now_s: Callable[[], float] = time.monotonic, prefix: str = "streamgate:once:"
    ) -> None:
        self._redis = redis
        self._claim = redis.register_script(_CLAIM)
        self._prefix = prefix
        self._away = Away("answers to repeated requests", now_s)

    async def claim(self, asked: Asked, running_s: float) -> Claim | None:
        arguments = (asked.fingerprint, asked.request_id, int(running_s * 1000), int(KEPT_S * 1000))
        found = await self._away.guard(lambda: self._claim(keys=[self._prefix + asked.name], args=arguments))
        if found is None:
            return None
        kept, now_ms = found
        return Claim(state="new", fingerprint=asked.fingerprint) if kept is None else _read(kept, now_ms)

    async def keep(self, asked: Asked, sealed: bytes) -> None:
        await self._set(asked, b"d" + sealed)

    async def leave(self, asked: Asked) -> None:
        await self._set(asked, b"u" + asked.request_id.encode())

    async def drop(self, asked: Asked) -> None:
        await self._away.guard(lambda: self._redis.delete(self._prefix + asked.name))

    async def _set(self, asked: Asked, ended: bytes) -> None:
        value = asked.fingerprint.encode() + ended
        await self._away.guard(lambda: self._redis.set(self._prefix + asked.name, value, px=int(KEPT_S * 1000)))


def _read(kept: bytes, now_ms: int) -> Claim:
    fingerprint = kept[:_FINGERPRINT_CHARS].decode()
    sign, rest = kept[_FINGERPRINT_CHARS : _FINGERPRINT_CHARS + 1], kept[_FINGERPRINT_CHARS + 1 :]
    if sign == b"d":
        return Claim(state="done", fingerprint=fingerprint, sealed=rest)
    until_ms, _, request_id = (b"0 " + rest if sign == b"u" else rest).partition(b" ")
    state: Literal["running", "unknown"] = "running" if now_ms < int(until_ms) else "unknown"
    return Claim(state=state, fingerprint=fingerprint, request_id=request_id.decode())


# --- sealing --------------------------------------------------------------------------------------------


def fingerprint_of(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:_FINGERPRINT_CHARS]


def seal(key: bytes, plain: bytes) -> bytes:
    """`nonce (12 bytes) ‖ AES-256-GCM`. `key`: 32 bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, None)


def unseal(key: bytes, sealed: bytes) -> bytes:
    """Raises cryptography's InvalidTag where it is not what was sealed."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key).decrypt(sealed[:12], sealed[12:], None)
