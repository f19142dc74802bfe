"""What every route says of a wrong value: words, whichever field and whatever was given."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from typing import Any

import attrs
from attrs import validators

from streamgate.settings.refusals import check
from streamgate.testing.docs.built import built
from streamgate.web.structure import FieldFaults, without_none

# Of every sort that a type lets through: too short and too long, odd signs, below and above every bound.
TEXTS = ("", " ", "\x07", "\u202e", "a'b\"c", "secret-" * 20_000, "eip155:1:0x", "0x" + "g" * 40, "é" * 300)
NUMBERS = (-(10**18), -1, 0, 10**18)
SEEN = ("name", "note", "reason")
HIDDEN = ("a\x07", "a\x1b[1m", "a\u2028b", "a\u202eb")
PYTHON = re.compile(
    r"""regex | [<>]= | Length\ of | \(\?: | \[\^?[A-Za-z0-9._~-]{2,}\] | \\[a-zA-Z] | \brange\( | <class |
    \bobject\ at | \b(?:None|True|False|NoneType|str|int|float|tuple|dict|bool)\b | secret-secret""",
    re.VERBOSE,
)


def classes_within(kind: Any, seen: set[Any]) -> Iterator[type]:
    """The attrs classes that a value of this type is made of."""
    if isinstance(kind, type) and attrs.has(kind) and kind not in seen:
        seen.add(kind)
        yield kind
        for field in attrs.fields(attrs.resolve_types(kind)):
            yield from classes_within(field.type, seen)
    for inner in typing.get_args(kind):
        yield from classes_within(inner, seen)


def samples(kind: Any) -> tuple[Any, ...]:
    kind = without_none(kind) or kind
    if isinstance(kind, typing.NewType):
        return samples(kind.__supertype__)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, tuple):
        return tuple(origin([each] * many) for each in samples(inner[0]) for many in (0, 1, 300))
    if origin is dict:
        return tuple({f"{n}{each}"[:300]: each for n in range(many)} for each in samples(inner[1]) for many in (0, 300))
    return {str: TEXTS, int: NUMBERS, float: tuple(map(float, NUMBERS)), Any: (*TEXTS, *NUMBERS)}.get(kind, ())


def taken(*, queries: bool) -> Iterator[tuple[str, attrs.Attribute[Any]]]:
    """Each field of the bodies that routes take, of their queries too, and its name."""
    seen: set[Any] = set()
    for route in built().routes:
        for kind in (route.body, route.query if queries else None):
            for each in classes_within(kind, seen):
                yield from ((f"{each.__name__}.{field.name}", field) for field in attrs.fields(each))


def asked() -> list[tuple[str, attrs.Attribute[Any]]]:
    """Those that a validator looks at."""
    return [(name, field) for name, field in taken(queries=True) if field.validator is not None]


def refusals(field: attrs.Attribute[Any], values: tuple[Any, ...] = ()) -> set[str]:
    said = set()
    for value in values or samples(field.type):
        try:
            check(field, value)
        except ValueError as fault:
            said.add(str(fault))
        except FieldFaults as fault:
            said |= {each.message for each in fault.faults}
    return said


def is_plain(name: str, said: str) -> bool:
    is_python = PYTHON.search(said) or f"'{name}'" in said
    return not is_python and said != "is not valid" and len(said) <= 300 and said.isprintable()


def test_refusals_are_in_plain_words() -> None:
    fields = asked()
    wrong = {name: said for name, field in fields for said in refusals(field) if not is_plain(field.name, said)}
    assert wrong == {}
    assert sum(bool(refusals(field)) for _, field in fields) > 60, "there was something to refuse"


def test_a_form_is_told_in_words_and_never_by_its_expression() -> None:
    theirs = type(validators.matches_re(""))
    wrong = [name for name, field in asked() if any(isinstance(each, theirs) for each in parts(field.validator))]
    assert wrong == [], "use streamgate.settings.Matches"


def test_validators_are_asked_of_what_came_in() -> None:
    """attrs asks those of a field with a converter after it, in words of its own and without the field's path."""
    assert [name for name, field in asked() if field.converter is not None] == []


def test_what_people_see_of_each_other_hides_nothing() -> None:
    """Control characters and bidirectional overrides in names and notes: others read them, in pages and terminals."""
    looked_up = "RunBody.name"  # of a schedule that has its name already
    seen = [(name, field) for name, field in taken(queries=False) if field.name in SEEN and name != looked_up]
    assert [name for name, field in seen for text in HIDDEN if not refuses(field, text)] == []
    assert len(seen) >= 8
    assert [name for name, field in seen if field.name != "note" and not refuses(field, "\n")] == []


def refuses(field: attrs.Attribute[Any], text: str) -> bool:
    return field.validator is not None and bool(refusals(field, (text,)))


def parts(validator: Any) -> Iterator[Any]:
    yield validator
    for name in ("_validators", "validators", "validator", "member_validator", "iterable_validator"):
        inner = getattr(validator, name, ())
        for each in inner if isinstance(inner, tuple) else (inner,):
            if each is not None:
                yield from parts(each)
