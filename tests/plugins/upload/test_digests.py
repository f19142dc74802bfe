"""Declared digests, read strictly, and the hash that checks them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamgate.contracts.uploads import DigestMismatch
from streamgate.errors import Invalid
from streamgate_upload.digests import Hash, HashPool, parse_content_digest, parse_sha256

# RFC 9530, section 2: the digest of {"hello": "world"} and a line feed.
RFC_BODY = b'{"hello": "world"}\n'
RFC_HEADER = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def test_the_example_of_the_rfc() -> None:
    assert parse_content_digest(RFC_HEADER) == hashlib.sha256(RFC_BODY).digest()


def test_other_algorithms_are_left_alone() -> None:
    assert parse_content_digest("sha-512=:AAAA:") is None
    assert parse_content_digest(f"md5=:AAAA:, {RFC_HEADER}") == hashlib.sha256(RFC_BODY).digest()


@pytest.mark.parametrize(
    "header", ["sha-256=abc", "sha-256=:!!:", "sha-256=::", f"sha-256=:{base64.b64encode(b'x').decode()}:"]
)
def test_an_unreadable_digest_is_refused(header: str) -> None:
    with pytest.raises(DigestMismatch):
        parse_content_digest(header)


def test_hexadecimal_digests() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    assert parse_sha256(digest.upper()) == digest
    with pytest.raises(Invalid):
        parse_sha256("f" * 63)
    with pytest.raises(Invalid):
        parse_sha256("٣" * 64)


async def test_the_hash_is_the_same_however_the_bytes_come(pool: ThreadPoolExecutor) -> None:
    data = bytes(range(256)) * 1024
    hash_ = Hash(pool)
    for piece in (data[:5], data[5:200_000], data[200_000:]):
        await hash_.update(piece)
    assert hash_.hexdigest() == hashlib.sha256(data).hexdigest()
    assert hash_.matches(hashlib.sha256(data).digest())
    assert not hash_.matches(hashlib.sha256(b"").digest())


def test_a_pool_stands_back_behind_its_process_however_nice_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads are as nice as the one that starts them: here one that is nicer than the others."""
    found: list[int] = []

    async def hashed() -> list[int]:
        pool = HashPool("standing back", threads=1, niceness=7)
        await pool.start()
        try:
            await pool.new().update(bytes(64 * 1024))
            threads = {thread.name: thread.native_id or 0 for thread in threading.enumerate()}
            return [os.getpriority(os.PRIO_PROCESS, each) for each in (0, threads["standing back_0"])]
        finally:
            await pool.stop()

    def be_nice() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), before + 5)
        found.extend(asyncio.run(hashed()))
        monkeypatch.setattr(os, "setpriority", forbidden)
        found.extend(asyncio.run(hashed()))

    def forbidden(*_: object) -> None:
        raise PermissionError

    before = os.getpriority(os.PRIO_PROCESS, 0)
    thread = threading.Thread(target=be_nice)
    thread.start()
    thread.join()
    assert found == [min(19, before + each) for each in (5, 12, 5, 5)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
