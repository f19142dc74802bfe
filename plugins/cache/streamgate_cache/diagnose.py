"""What `streamgate doctor` asks of the cache: does Redis answer?"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from streamgate.health import Finding
from streamgate.settings import KernelSettings
from streamgate_cache.config import CacheConfig


async def diagnose(settings: KernelSettings, config: CacheConfig) -> Sequence[Finding]:
    url = config.url.reveal()
    if url.startswith("memory:"):
        return [Finding(level="good", subject="cache", said="in memory, of each process its own")]
    from redis.exceptions import RedisError

    from streamgate.sdk.redis import open_redis

    where = urlsplit(url).netloc.rpartition("@")[2]
    client = open_redis(url)
    try:
        told = await client.info("server")
    except (RedisError, OSError) as fault:
        said = f"Redis at {where} does not answer ({type(fault).__name__}): everything works, slower"
        return [Finding(level="warning", subject="cache", said=said, remedy="start it, or mend STREAMGATE_CACHE__URL")]
    finally:
        await client.aclose()
    return [Finding(level="good", subject="cache", said=f"Redis {told.get('redis_version', '?')} at {where}")]
