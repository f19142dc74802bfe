"""Upload's section of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field
from streamgate_upload.chunks import CHUNK_MIN_BYTES, MEBIBYTE


def _at_least(lowest: float) -> object:
    return attrs.validators.ge(lowest)


@attrs.frozen(kw_only=True)
class UploadConfig:
    max_size_bytes: int = config_field(
        64 * 1024 * MEBIBYTE, help="Largest file that may be uploaded.", validator=_at_least(1)
    )
    chunk_size_bytes: int = config_field(
        8 * MEBIBYTE,
        help="Size of a chunk; larger for files that would have more than 10,000 of them.",
        validator=_at_least(CHUNK_MIN_BYTES),
    )
    max_open_uploads: int = config_field(32, help="Uploads a person may have open at once.", validator=_at_least(1))
    expire_after_s: float = config_field(
        86_400.0, help="An upload to which no byte comes for so long is given up.", validator=_at_least(1)
    )
    sweep_every_s: float = config_field(
        60.0, help="How often uploads are looked over for those to give up and bytes to remove.", validator=_at_least(1)
    )
