"""Every door of an application with its policy: what the route walk shows and tests."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.web.routes import Mount, Policy, Route


@attrs.frozen
class Door:
    """`method` is `*` for a mount, whose `path` is its prefix."""

    method: str
    path: str
    policy: Policy
    summary: str

    def __str__(self) -> str:
        return f"{self.method:6} {self.path:48} {self.policy}"


def walk(routes: Sequence[Route], mounts: Sequence[Mount]) -> list[Door]:
    """Routes and mounts by path, then method."""
    doors = [Door(route.method, route.path, route.policy, route.summary) for route in routes]
    doors += [Door("*", mount.prefix, mount.policy, mount.summary) for mount in mounts]
    return sorted(doors, key=lambda door: (door.path, door.method))
