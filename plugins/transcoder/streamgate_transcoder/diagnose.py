"""What `streamgate doctor` asks of the transcoder: are the codecs there?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgate.health import Finding
from streamgate.settings import KernelSettings

ENCODERS = ("libx264", "aac")


async def diagnose(settings: KernelSettings, config: Any) -> Sequence[Finding]:
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
        return [Finding(level="fault", subject="codecs", said=f"{said} lacks {', '.join(missing)}", remedy=remedy)]
    return [Finding(level="good", subject="codecs", said=f"{said} with {' and '.join(ENCODERS)}")]
