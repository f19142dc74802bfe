"""One way to reach Redis (or Valkey): short deadlines, so that its absence makes things slower and never wrong.

The driver is imported at the first client: most processes never make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis.asyncio import Redis

TIMEOUT_S = 0.5
"""For connecting and for each answer. Redis answers within a millisecond; who waits longer does without it."""


def open_redis(url: str, *, timeout_s: float = TIMEOUT_S, max_connections: int = 64) -> Redis:
    """A client with a pool of its own; its owner awaits `aclose()`. Nothing is connected before the first command.
    Commands beyond `max_connections` at once wait for their turn, at most `timeout_s`.

    Args:
        url: `redis://[:password@]host[:port][/db]`, or `rediss://` for TLS.

    Raises:
        ValueError: the URL is none.
    """
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    from streamgate.sdk.redis_pool import WaitingPool

    pool = WaitingPool.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        max_connections=max_connections,
        retry=Retry(NoBackoff(), 1),
    )
    return Redis.from_pool(pool)
