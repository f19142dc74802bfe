"""Whether a payload fits its kind, by the JSON Schema the kind was registered with."""

from __future__ import annotations

from typing import Any

from streamgate.contracts.jobs import Kind, PayloadInvalid
from streamgate.errors import FieldError

MAX_ERRORS = 20


def check_payload(kind: Kind, payload: dict[str, Any]) -> None:
    """Raises PayloadInvalid: `jobs.payload_invalid`, with a line for each field."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # 60 ms that only submitting needs

    found = Draft202012Validator(kind.payload_schema).iter_errors(payload)
    errors = tuple(
        FieldError(".".join(["payload", *map(str, fault.absolute_path)]), fault.message[:300])
        for fault, _ in zip(found, range(MAX_ERRORS), strict=False)
    )
    if errors:
        raise PayloadInvalid(f"the payload does not fit {kind.name}", errors=errors)
