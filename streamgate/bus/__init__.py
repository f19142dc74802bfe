"""The bus: bytes between processes (or inside one). `base.py` has the promises, one file an implementation."""

import sys

from streamgate.bus.base import Bus, Login

__all__ = ["Bus", "Login", "open_bus"]


def open_bus(url: str, *, name: str, login: Login | None = None, headroom_bytes: int = 0) -> Bus:
    """The bus for a URL: `memory:` or `nats://[user:password@]host:port[,nats://…]`.

    Nothing connects before `start()`.

    Args:
        name: shown in the server's list of connections.
        login: instead of a user and password in the URL.
        headroom_bytes: carried beyond the largest payload, where the server takes so much (for seals).

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
        return NatsBus(url, name=name, login=login, headroom_bytes=headroom_bytes)
    raise ValueError(f"bus url {url!r}: the scheme must be memory: or nats://")
