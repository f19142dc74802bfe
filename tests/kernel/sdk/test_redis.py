"""One way to reach Redis: quick where it is, a fault within its deadline where it is not."""

from __future__ import annotations

import pytest

from streamgate.sdk.redis import open_redis
from streamgate.testing.processes import free_port
from streamgate.testing.servers import RedisServer


async def test_what_is_set_is_there(redis_server: RedisServer) -> None:
    client = open_redis(redis_server.url)
    await client.set("test_redis:key", b"\x00value", px=60_000)
    assert await client.get("test_redis:key") == b"\x00value"
    await client.aclose()


async def test_an_absent_server_is_a_fault_and_not_a_wait() -> None:
    import redis.exceptions

    client = open_redis(f"redis://127.0.0.1:{free_port()}", timeout_s=0.2)
    with pytest.raises(redis.exceptions.ConnectionError):
        await client.get("key")
    await client.aclose()


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(ValueError, match="scheme"):
        open_redis("http://127.0.0.1:6379")
