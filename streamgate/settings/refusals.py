"""What is wrong with a field's value, in plain words: of a setting and of what comes in over HTTP alike.

attrs' own validators speak Python (`'limit' must be >= 1: 0`), and one of them shows its regular expression. Those of
ours say themselves what they want. Texts are never repeated: they may be long, or secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs
from attrs import validators

_UNITS = {"_s": "second", "_ms": "millisecond", "_bytes": "byte", "_px": "pixel"}
_BOUNDS = {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}


@attrs.frozen
class Matches:
    """Validator: a text that `expression` matches as a whole. `words` is what is said of any other; nobody is shown the
    expression."""

    expression: str
    words: str

    def __call__(self, _: Any, __: Any, value: str) -> None:
        if re.fullmatch(self.expression, value) is None:
            raise ValueError(self.words)


def check(field: attrs.Attribute[Any], value: Any) -> None:
    """Asks the validator of a field that has one.

    Raises:
        ValueError: what is wrong, for whoever gave the value.
    """
    validator: Any = field.validator  # Any: it takes an instance, and there is none yet
    try:
        validator(None, field, value)
    except (ValueError, TypeError) as fault:
        raise ValueError(_refusal(validator, field, value) or "is not valid") from fault


def _refusal(validator: Any, field: attrs.Attribute[Any], value: Any) -> str:
    """Of the first part of a validator that refuses; "" where it has no words."""
    parts = _PARTS.get(type(validator))
    if parts is not None:
        return next((said for part, inner in parts(validator, value) if (said := _refusal(part, field, inner))), "")
    try:
        validator(None, field, value)
    except (ValueError, TypeError) as fault:
        words = WORDS.get(type(validator))
        if words is not None:
            return words(validator, field.name, value)
        return str((*fault.args, "")[0]) if not type(validator).__module__.startswith("attr.") else ""
    return ""


def _bound(validator: Any, name: str, value: Any) -> str:
    units = [_counted(validator.bound, unit) for end, unit in _UNITS.items() if name.endswith(end)]
    return f"must be {_BOUNDS[validator.compare_op]} {(*units, _number(validator.bound))[0]}; is {_number(value)}"


def _length(how: str, limit: int, value: Any) -> str:
    if how == "least" and limit == 1:
        return "must not be empty"
    return f"must have at {how} {_counted(limit, 'character' if isinstance(value, str) else 'entry')}; has {len(value)}"


def one_of(options: Any) -> str:
    """ "" is among the options of what may be left out, and is not worth a word."""
    if isinstance(options, range):
        return f"must be one of {options[0]} to {options[-1]}"
    return f"must be one of {', '.join(str(option) for option in options if option != '')}"


def _counted(count: float, what: str) -> str:
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{_number(count)} {what if count == 1 else many}"


def _number(value: float) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


# The classes of attrs' validators have no public names; their makers do.
_PARTS: dict[type, Callable[[Any, Any], Any]] = {
    type(validators.and_()): lambda v, value: [(part, value) for part in v._validators],
    type(validators.optional(validators.ge(0))): lambda v, value: [(v.validator, value)],
    type(validators.deep_iterable(validators.ge(0))): lambda v, value: [
        (v.iterable_validator or validators.and_(), value),
        *((v.member_validator, each) for each in value),
    ],
}
WORDS: dict[type, Callable[[Any, str, Any], str]] = {
    type(validators.ge(0)): _bound,
    type(validators.max_len(1)): lambda v, _, value: _length("most", v.max_length, value),
    type(validators.min_len(1)): lambda v, _, value: _length("least", v.min_length, value),
    type(validators.in_(())): lambda v, _, __: one_of(v._original_options),
    type(validators.matches_re("")): lambda *_: "is not written as it has to be",
}
