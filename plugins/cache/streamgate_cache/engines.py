"""What an engine promises. `tests/plugins/cache/test_engines.py` is one suite that each passes."""

from __future__ import annotations

from typing import Protocol

import attrs


@attrs.frozen
class Found:
    """`ttl_s` is what remains."""

    payload: bytes
    ttl_s: float
    stamp: str


@attrs.frozen
class Missed:
    """`stamp` is empty where nothing can be kept now."""

    stamp: str


@attrs.frozen(kw_only=True)
class Usage:
    """What is kept now. `namespaces`: entries and bytes of each, where they are counted."""

    entries: int
    size_bytes: int
    evictions: int
    namespaces: dict[str, tuple[int, int]] = attrs.field(factory=dict)


class Engine(Protocol):
    """Keeps encoded values. A stamp names the state of a namespace: each `delete` and `clear` makes it a new one."""

    @property
    def name(self) -> str: ...

    async def get(self, namespace: str, key: str) -> Found | Missed:
        """Never raises: what cannot be asked has nothing."""

    async def set(self, namespace: str, key: str, payload: bytes, ttl_s: float, stamp: str) -> bool:
        """Whether it was kept. With a `stamp` only while the namespace still has it. Never raises."""

    async def delete(self, namespace: str, key: str) -> bool:
        """Whether something was there. Raises CacheUnavailable."""

    async def clear(self, namespace: str) -> None:
        """As quick for many entries as for few. Raises CacheUnavailable."""

    async def usage(self) -> Usage:
        """Never raises."""

    async def probe(self) -> str:
        """For `/ready`. Raises CacheUnavailable."""

    async def close(self) -> None: ...
