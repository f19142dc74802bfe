"""What is kept of a job's result, so that whoever missed the event can read it again."""

from __future__ import annotations

from typing import Any

import orjson

MAX_RESULT_BYTES = 256 * 1024
_NUL = b"\\u0000"
"""PostgreSQL holds no such character in JSON."""


def kept_result(result: dict[str, Any]) -> dict[str, Any] | None:
    """The result itself, or None where it is larger than `MAX_RESULT_BYTES` or no column holds it."""
    text = orjson.dumps(result)
    return None if len(text) > MAX_RESULT_BYTES or _NUL in text else result
