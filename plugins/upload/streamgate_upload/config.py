"""Upload's section of the configuration."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field
from streamgate_upload.chunks import CHUNK_MIN_BYTES, MEBIBYTE

EXPIRE_MAX_S = 6 * 86_400.0  # S3 stores give up unfinished objects after a week


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
    max_open_uploads: int = config_field(
        32, help="Uploads a person may have open at once.", validator=_at_least(1), reload=True
    )
    quota_bytes: int = config_field(
        0,
        help="Bytes a person's uploads may have in all, finished ones until their content is deleted; 0: no limit.",
        validator=_at_least(0),
        reload=True,
    )
    expire_after_s: float = config_field(
        86_400.0,
        help="An upload to which no byte comes for so long is given up; at most six days.",
        validator=attrs.validators.and_(attrs.validators.ge(1), attrs.validators.le(EXPIRE_MAX_S)),
    )
    import_timeout_s: float = config_field(
        21_600.0, help="Longest time that fetching one URL may take.", validator=_at_least(1)
    )
    imports_at_once: int = config_field(2, help="URLs that a process fetches at once.", validator=_at_least(1))
    sweep_every_s: float = config_field(
        60.0, help="How often uploads are looked over for those to give up and bytes to remove.", validator=_at_least(1)
    )
