"""How many children there may be: by cores, by memory, by what waits. Pure, but for looking at the memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_memory_bytes(meminfo: Path = MEMINFO, cgroup: Path = CGROUP) -> int | None:
    """What this process may still take: of the machine, and of its control group (version 2) where that is limited.
    None where nobody tells."""
    found = [_of_machine(meminfo), _of_group(cgroup)]
    return min((each for each in found if each is not None), default=None)


def _of_machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _of_group(cgroup: Path) -> int | None:
    try:
        limit, used = ((cgroup / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))


@attrs.frozen(kw_only=True)
class Sizing:
    """Args:
    most: by configuration, or the cores.
    child_bytes: what one child takes at work.
    available_bytes: asked each time.
    """

    most: int
    child_bytes: int
    available_bytes: Callable[[], int | None] = available_memory_bytes

    def places(self, holding: int) -> int:
        """How many may be at work now. `holding`: children that have their memory already, at work or waiting for more
        to do. One in any case, or nothing would ever get done on a full machine."""
        available = self.available_bytes()
        if available is None:
            return self.most
        return max(1, min(self.most, holding + available // self.child_bytes))

    def spares(self, *, waiting: int, holding: int, warm: int) -> int:
        """How many should wait with everything imported: one for each job that could start now, and `warm` in any
        case."""
        return max(warm, min(waiting, self.places(holding) - holding))
