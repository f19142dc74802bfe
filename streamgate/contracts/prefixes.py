"""The nine services of the public API: their ports and paths.

A gateway in front of split services knows from this table that a path *has* an owner, so that a service that is
away is 503 and not 404. Who serves it now, and paths of other plugins, come from announcements.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class ServicePaths:
    port: int
    prefixes: tuple[str, ...]


SERVICES: dict[str, ServicePaths] = {
    "api": ServicePaths(9090, ("/api/v1/content", "/api/v1/events", "/api/v1/nft", "/api/v1/streaming", "/api/v1/ws")),
    "upload": ServicePaths(9091, ("/api/v1/upload",)),
    "transcoder": ServicePaths(9092, ("/api/v1/transcode",)),
    "streaming": ServicePaths(9093, ("/api/v1/stream",)),
    "metadata": ServicePaths(9005, ("/api/v1/metadata",)),
    "cache": ServicePaths(9006, ("/api/v1/cache",)),
    "auth": ServicePaths(9007, ("/api/v1/auth", "/api/v1/gates", "/.well-known/jwks.json")),
    "worker": ServicePaths(9008, ("/api/v1/jobs",)),
    "monitor": ServicePaths(9009, ("/api/v1/monitor",)),
}
