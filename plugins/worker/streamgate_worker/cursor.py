"""Where a list goes on: the last row's time and id, opaque to callers."""

from __future__ import annotations

import base64
import binascii

from streamgate.errors import FieldError, Invalid


def write_cursor(at_ms: int, job_id: str) -> str:
    return base64.urlsafe_b64encode(f"{at_ms}:{job_id}".encode()).rstrip(b"=").decode()


def read_cursor(text: str) -> tuple[int, str] | None:
    """None for the beginning.

    Raises:
        Invalid: not one of ours.
    """
    if not text:
        return None
    try:
        at_ms, job_id = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode().split(":", 1)
        return int(at_ms), job_id
    except (ValueError, binascii.Error) as fault:
        error = FieldError("cursor", "is not one of this list")
        raise Invalid("The cursor is not one of this list", errors=(error,)) from fault
