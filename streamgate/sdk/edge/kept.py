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
if kept then return kept end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""


@attrs.frozen
class Claim:
    """`new`: it is the caller's to answer; `running`: somebody does; `done`: `sealed` is the answer. `fingerprint`:
    of the request that was first."""

    state: Literal["new", "running", "done"]
    fingerprint: str = ""
    sealed: bytes = b""


class Answers(Protocol):
    """`name` is of who asks for what, `fingerprint` of the request."""

    async def claim(self, name: str, fingerprint: str, running_s: float) -> Claim | None:
        """In one step. A claim that is neither kept nor dropped ends after `running_s`. None: the store is away."""

    async def keep(self, name: str, fingerprint: str, sealed: bytes) -> None:
        """For KEPT_S."""

    async def drop(self, name: str) -> None:
        """The next request with this name is new."""


@attrs.define
class _Entry:
    fingerprint: str
    sealed: bytes
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

    async def claim(self, name: str, fingerprint: str, running_s: float) -> Claim:
        entry = self._entries.get(name)
        if entry is not None and self._now_s() < entry.ends_at_s:
            return Claim("done" if entry.sealed else "running", entry.fingerprint, entry.sealed)
        self._put(name, _Entry(fingerprint, b"", self._now_s() + running_s))
        return Claim("new", fingerprint)

    async def keep(self, name: str, fingerprint: str, sealed: bytes) -> None:
        self._put(name, _Entry(fingerprint, sealed, self._now_s() + KEPT_S))

    async def drop(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        self._size_bytes -= len(entry.sealed) if entry is not None else 0

    def _put(self, name: str, entry: _Entry) -> None:
        before = self._entries.pop(name, None)
        self._size_bytes += len(entry.sealed) - (len(before.sealed) if before is not None else 0)
        self._entries[name] = entry
        while len(self._entries) > self._max_answers or self._size_bytes > self._max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self._size_bytes -= len(oldest.sealed)


class RedisAnswers:
    """A value is the fingerprint and behind it the sealed answer, nothing while it runs.

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

    async def claim(self, name: str, fingerprint: str, running_s: float) -> Claim | None:
        arguments = (fingerprint, int(running_s * 1000))

        async def ask() -> tuple[bytes | None]:  # in a tuple, so that Redis' nil is not taken for its absence
            return (await self._claim(keys=[self._prefix + name], args=arguments),)

        found = await self._away.guard(ask)
        if found is None:
            return None
        kept = found[0]
        if kept is None:
            return Claim("new", fingerprint)
        first, sealed = kept[:_FINGERPRINT_CHARS].decode(), kept[_FINGERPRINT_CHARS:]
        return Claim("done" if sealed else "running", first, sealed)

    async def keep(self, name: str, fingerprint: str, sealed: bytes) -> None:
        value = fingerprint.encode() + sealed
        await self._away.guard(lambda: self._redis.set(self._prefix + name, value, px=int(KEPT_S * 1000)))

    async def drop(self, name: str) -> None:
        await self._away.guard(lambda: self._redis.delete(self._prefix + name))


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
