"""The section `cache`."""

from __future__ import annotations

import attrs

from streamgate.settings import config_field

POSITIVE = attrs.validators.gt(0)


@attrs.frozen(kw_only=True)
class CacheConfig:
    """How much the memory engine keeps; what is used least goes first."""

    max_bytes: int = config_field(64 * 1024 * 1024, help="Bytes of keys and values kept at most.", validator=POSITIVE)
    max_entries: int = config_field(100_000, help="Entries kept at most.", validator=POSITIVE)
    max_value_bytes: int = config_field(1_048_576, help="Largest value, as JSON.", validator=POSITIVE)
