"""Whether a payload fits its kind, by the JSON Schema the kind was registered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from attrs import validators

from streamgate.contracts.jobs import Kind, PayloadInvalid
from streamgate.errors import FieldError
from streamgate.settings.refusals import WORDS

MAX_ERRORS = 20

_TYPES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
}
_SAME: Mapping[str, Callable[[Any], Any]] = {
    "minimum": validators.ge,
    "exclusiveMinimum": validators.gt,
    "maximum": validators.le,
    "exclusiveMaximum": validators.lt,
    "minLength": validators.min_len,
    "maxLength": validators.max_len,
    "minItems": validators.min_len,
    "maxItems": validators.max_len,
    "enum": validators.in_,
}
"""The validator of a form that demands the same as a keyword of JSON Schema, and has the words for it."""


def check_payload(kind: Kind, payload: dict[str, Any]) -> None:
    """Raises PayloadInvalid: `jobs.payload_invalid`, with a line for each field."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # 60 ms that only submitting needs

    found = Draft202012Validator(kind.payload_schema).iter_errors(payload)
    # Several names that are missing are as many faults to jsonschema, of which none says which is its.
    said = dict.fromkeys(each for fault in islice(found, MAX_ERRORS) for each in _faults(fault))
    if said:
        raise PayloadInvalid(f"the payload does not fit {kind.name}", errors=tuple(islice(said, MAX_ERRORS)))


def _faults(fault: Any) -> Iterator[FieldError]:
    """In the words of the HTTP API: jsonschema's own repeat the value, and show regular expressions."""
    steps = ["payload", *map(str, fault.absolute_path)]
    place, demanded, value = ".".join(steps), fault.validator_value, fault.instance
    if fault.validator == "required":
        yield from (FieldError(f"{place}.{name}", "is required") for name in demanded if name not in value)
    elif fault.validator == "additionalProperties" and demanded is False:
        known = fault.schema.get("properties", {})
        yield from (FieldError(f"{place}.{name}", "is not a known field") for name in value if name not in known)
    elif fault.validator == "anyOf" and demanded[1:] == [{"type": "null"}]:
        for inner in fault.context:
            if inner.relative_schema_path[0] == 0:
                yield from _faults(inner)
    else:
        yield FieldError(place, _words(fault.validator, demanded, value, fault.schema, steps[-1]))


def _words(keyword: str, demanded: Any, value: Any, schema: Mapping[str, Any], name: str) -> str:
    if keyword in _SAME:
        validator = _SAME[keyword](demanded)
        return WORDS[type(validator)](validator, name, value)
    if keyword == "type":
        kinds = [demanded] if isinstance(demanded, str) else demanded
        return f"must be {' or '.join(_TYPES.get(kind, kind) for kind in kinds)}"
    if keyword == "pattern":
        meant = schema.get("description", "")
        return f"is not written as it has to be: {meant}" if meant else "is not written as it has to be"
    return "is not valid"
