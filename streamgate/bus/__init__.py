"""The bus: bytes between processes (or inside one). `base.py` has the promises, one file an implementation."""

import sys

from streamgate.bus.base import Bus

__all__ = ["Bus", "open_bus"]


def open_bus(url: str, *, name: str) -> Bus:
    """The bus for a URL: `memory:` or `nats://[user:password@]host:port[,nats://…]`.

    Nothing connects before `start()`. `name` is shown in the server's list of connections.

    Raises:
        ValueError: another scheme.
    """
    scheme = url.partition(":")[0]
    if scheme == "memory":
        from streamgate.bus.memory import MemoryBus

        return MemoryBus()
    if scheme in ("nats", "tls"):
        is_absent = sys.modules.setdefault("aiohttp", None) is None  # type: ignore[arg-type]
        from streamgate.bus.nats import NatsBus

        if is_absent:  # nats-py takes aiohttp for WebSocket URLs where it finds it: a fifth of a small process' start
            del sys.modules["aiohttp"]
        return NatsBus(url, name=name)
    raise ValueError(f"bus url {url!r}: the scheme must be memory: or nats://")
