"""What the questions to monitor have in common: texts, moments, limits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from streamgate.errors import FieldError, Invalid

MAX_LIMIT = 500


def text_field() -> Any:
    return attrs.field(default="", validator=attrs.validators.max_len(500))


def limit_field(default: int) -> Any:
    validators = attrs.validators
    return attrs.field(default=default, validator=validators.and_(validators.ge(1), validators.le(MAX_LIMIT)))


def moment(field: str, text: str) -> int:
    """Milliseconds since 1970; 0 for no text.

    Raises:
        Invalid: no RFC 3339 moment with a zone.
    """
    if not text:
        return 0
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = None
    if read is None or read.tzinfo is None:
        error = FieldError(field, "is no moment like 2026-01-31T12:00:00Z")
        raise Invalid(f"{field} is no moment", errors=(error,))
    return max(0, int(read.timestamp() * 1000))
