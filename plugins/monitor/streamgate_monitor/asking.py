"""What the questions to monitor have in common: texts, moments, limits."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.errors import FieldError, Invalid
from streamgate.sdk.clock import parse_rfc3339

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
        return max(0, parse_rfc3339(text))
    except ValueError as fault:
        error = FieldError(field, str(fault))
        raise Invalid(f"{field} {fault}", errors=(error,)) from fault
