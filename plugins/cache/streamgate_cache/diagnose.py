"""What `streamgate doctor` asks of the cache: does Redis answer?"""

from __future__ import annotations

from collections.abc import Sequence

from streamgate.health import Finding
from streamgate.sdk.diagnoses import of_redis
from streamgate.settings import KernelSettings
from streamgate_cache.config import CacheConfig


async def diagnose(settings: KernelSettings, config: CacheConfig) -> Sequence[Finding]:
    url = config.url.reveal()
    if url.startswith("memory:"):
        return [Finding(level="good", subject="cache", said="in memory, of each process its own")]
    return [await of_redis("cache", url, "STREAMGATE_CACHE__URL", without="everything works, slower")]
