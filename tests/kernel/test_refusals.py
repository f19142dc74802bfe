"""What a refused field is told: plain words, the limit with its unit, and never the value of a text."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest
from attrs import validators

from streamgate.settings import Matches
from streamgate.settings.refusals import check

V = validators


def _is_even(_: Any, __: attrs.Attribute[Any], value: int) -> None:
    if value % 2:
        raise ValueError("must be even")


def _says_nothing(_: Any, __: attrs.Attribute[Any], value: int) -> None:
    raise ValueError


@attrs.frozen(kw_only=True)
class Form:
    name: str = attrs.field(default="", validator=V.max_len(5))
    code: str = attrs.field(default="x", validator=[V.min_len(1), V.max_len(1)])
    tags: tuple[str, ...] = attrs.field(default=(), validator=V.max_len(1))
    pairs: tuple[str, ...] = attrs.field(default=("", ""), validator=V.min_len(2))
    labels: dict[str, str] = attrs.field(factory=dict, validator=V.max_len(2))
    count: int = attrs.field(default=1, validator=[V.ge(1), V.le(200)])
    for_s: float | None = attrs.field(default=None, validator=V.optional([V.ge(0.0), V.le(315_360_000.0)]))
    pause_s: float = attrs.field(default=1, validator=V.ge(1))
    size_bytes: int = attrs.field(default=1, validator=V.lt(8))
    width_px: int = attrs.field(default=1, validator=V.gt(0))
    wait_ms: float = attrs.field(default=1.0, validator=V.ge(0.5))
    colour: str = attrs.field(default="red", validator=V.in_(["", "red", "green"]))
    level: int = attrs.field(default=0, validator=V.in_(range(20)))
    sizes: tuple[int, ...] = attrs.field(default=(), validator=V.deep_iterable(V.ge(2), V.max_len(3)))
    word: str = attrs.field(default="a", validator=V.matches_re("[a-z]+"))
    slug: str = attrs.field(default="a", validator=Matches("[a-z]+", "must be small letters"))
    kind: Any = attrs.field(default=1, validator=V.instance_of(int))
    even: int = attrs.field(default=0, validator=_is_even)
    odd: int = attrs.field(default=0, validator=V.and_(V.ge(0), _says_nothing))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("name", "secret" * 100, "must have at most 5 characters; has 600"),
        ("code", "", "must not be empty"),
        ("code", "ab", "must have at most 1 character; has 2"),
        ("tags", ("a", "b"), "must have at most 1 entry; has 2"),
        ("pairs", ("a",), "must have at least 2 entries; has 1"),
        ("labels", {"a": "", "b": "", "c": ""}, "must have at most 2 entries; has 3"),
        ("count", 0, "must be at least 1; is 0"),
        ("count", 201, "must be at most 200; is 201"),
        ("for_s", -0.5, "must be at least 0 seconds; is -0.5"),
        ("for_s", 1e9, "must be at most 315360000 seconds; is 1000000000"),
        ("pause_s", 0, "must be at least 1 second; is 0"),
        ("size_bytes", 8, "must be less than 8 bytes; is 8"),
        ("width_px", 0, "must be more than 0 pixels; is 0"),
        ("wait_ms", 0, "must be at least 0.5 milliseconds; is 0"),
        ("colour", "blue", "must be one of red, green"),
        ("level", 20, "must be one of 0 to 19"),
        ("sizes", (2, 1), "must be at least 2; is 1"),
        ("sizes", (2, 2, 2, 2), "must have at most 3 entries; has 4"),
        ("word", "NO", "is not written as it has to be"),
        ("slug", "NO", "must be small letters"),
        ("slug", "a\n", "must be small letters"),
        ("kind", "1", "is not valid"),
        ("even", 1, "must be even"),
        ("odd", -1, "must be at least 0; is -1"),
        ("odd", 1, "is not valid"),
    ],
)
def test_a_refusal_is_in_words(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        check(attrs.fields_dict(Form)[name], value)
    assert caught.value.args == (said,)


def test_what_is_right_passes() -> None:
    right = {"name": "12345", "code": "a", "count": 200, "for_s": None, "colour": "", "level": 19, "sizes": (2,)}
    for name, value in right.items():
        check(attrs.fields_dict(Form)[name], value)
