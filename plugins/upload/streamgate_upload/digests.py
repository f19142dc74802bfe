"""Hashes, declared and computed. Hashing runs in a small pool of threads: hashlib gives up the GIL there,
so that a server taking many uploads keeps its loop free."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import re
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from streamgate.contracts.uploads import DigestMismatch
from streamgate.errors import FieldError, Invalid

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_INLINE_BYTES = 32 * 1024  # below this a thread costs more than the hash


def parse_sha256(text: str, field: str = "sha256") -> str:
    """64 hexadecimal digits, lower case.

    Raises:
        Invalid: anything else.
    """
    if not _HEX.fullmatch(text):
        raise Invalid(f"{field} is not a SHA-256", errors=(FieldError(field, "must be 64 hexadecimal digits"),))
    return text.lower()


def wrong_header(said: str) -> DigestMismatch:
    """Of the header `Content-Digest`, not of a digest that was declared for the whole file."""
    return DigestMismatch(said, errors=(FieldError("Content-Digest", said),))


def parse_content_digest(header: str) -> bytes | None:
    """The SHA-256 in a `Content-Digest` header (RFC 9530: `sha-256=:<base64>:`, 32 bytes), or None when it
    names other algorithms only.

    Raises:
        DigestMismatch: there is a `sha-256` that cannot be read.
    """
    for member in header.split(","):
        name, _, value = member.strip().partition("=")
        if name.strip().lower() != "sha-256":
            continue
        try:
            if not (len(value) > 2 and value.startswith(":") and value.endswith(":")):
                raise ValueError("not a byte sequence")
            digest = base64.b64decode(value[1:-1], validate=True)
            if len(digest) != hashlib.sha256().digest_size:
                raise ValueError("not 32 bytes")
        except (binascii.Error, ValueError) as fault:
            raise wrong_header(f"Content-Digest: sha-256 cannot be read: {fault}") from fault
        return digest
    return None


class HashPool:
    """A unit: the threads that hash. `new` gives a hash while it runs.

    Args:
        niceness: how far its threads stand back behind the rest of the process, where the system knows that of each
            (Linux).
    """

    needs: tuple[str, ...] = ()

    def __init__(self, name: str, threads: int = 2, *, niceness: int = 0) -> None:
        self.name = name
        self._threads = threads
        self._niceness = niceness
        self._pool: ThreadPoolExecutor | None = None

    async def start(self) -> None:
        self._pool = ThreadPoolExecutor(
            self._threads, thread_name_prefix=self.name, initializer=_stand_back, initargs=(self._niceness,)
        )

    async def stop(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown)

    def new(self, algorithm: str = "sha256") -> Hash:
        """Args:
        algorithm: as hashlib names it.
        """
        if self._pool is None:
            raise RuntimeError(f"{self.name} does not run")
        return Hash(self._pool, algorithm)


def _stand_back(niceness: int) -> None:
    if niceness and sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # not allowed: a fault here would end the pool for good
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + niceness)


class Hash:
    """A hash that grows; `update` one at a time."""

    def __init__(self, pool: ThreadPoolExecutor, algorithm: str = "sha256") -> None:
        self._pool = pool
        self._hash = hashlib.new(algorithm, usedforsecurity=False)  # "sha1" finds faults of the line, no forgeries

    async def update(self, data: bytes) -> None:
        if len(data) <= _INLINE_BYTES:
            self._hash.update(data)
        else:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._hash.update, data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def matches(self, digest: bytes) -> bool:
        return hmac.compare_digest(self._hash.digest(), digest)
