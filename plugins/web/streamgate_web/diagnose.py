"""What `streamgate doctor` asks of the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.health import Finding
from streamgate.settings import KernelSettings


async def diagnose(settings: KernelSettings, config: Any) -> Sequence[Finding]:
    from streamgate_web.assets import load_assets

    try:
        found = load_assets()
    except FileNotFoundError as fault:
        return [Finding(level="fault", subject="page", said=str(fault))]
    return [Finding(level="good", subject="page", said=f"{len(found)} files in place")]
