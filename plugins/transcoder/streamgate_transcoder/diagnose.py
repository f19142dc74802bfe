"""What `streamgate doctor` asks of the transcoder: are the codecs there, and how well are children locked in?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from streamgate.health import Finding
from streamgate.settings import KernelSettings

from .child_process import bare_environment

ENCODERS = ("libx264", "aac")


async def diagnose(settings: KernelSettings, config: Any) -> Sequence[Finding]:
    return [_codecs(), sandbox_finding(await _has_filter())]


def _codecs() -> Finding:
    import av
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    missing = []
    for name in ENCODERS:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            missing.append(name)
    said = f"PyAV {av.__version__}"
    if missing:
        remedy = "install the `av` wheel of the lock file (`make install`)"
        return Finding(level="fault", subject="codecs", said=f"{said} lacks {', '.join(missing)}", remedy=remedy)
    return Finding(level="good", subject="codecs", said=f"{said} with {' and '.join(ENCODERS)}")


async def _has_filter() -> bool:
    """Tried by a process that locks itself in as a child does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-s", "-m", "streamgate_transcoder.media.sandbox"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=bare_environment(),
    )
    return await process.wait() == 0


def sandbox_finding(has_filter: bool) -> Finding:
    if has_filter:
        return Finding(level="good", subject="sandbox", said="files are parsed under resource limits and seccomp")
    return Finding(
        level="warning",
        subject="sandbox",
        said="system calls of the processes that parse files are not filtered; resource limits alone hold",
        remedy="run it on Linux, x86-64 or arm64, where seccomp is allowed",
    )
