"""Names that people give and others see: any script, and nothing hidden."""

from __future__ import annotations

import attrs
import pytest

from streamgate.sdk.texts import is_name, is_one_line
from streamgate.settings.refusals import check


@attrs.frozen(kw_only=True)
class Seen:
    name: str = attrs.field(validator=is_name)
    note: str = attrs.field(default="", validator=is_one_line)


@pytest.mark.parametrize("text", ["Kitchen 2", "日本語", "نام‌ها", "👩‍👧‍👦", "e\u0301", "a\u00a0b"])
def test_any_script_is_taken(text: str) -> None:
    for field in attrs.fields(Seen):
        check(field, text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a\x07", "0007"),
        ("\n", "000A"),
        ("a\x7f", "007F"),
        ("a\x85", "0085"),
        ("a\u2028b", "2028"),
        ("\u202egpj.exe", "202E"),
        ("a\u2066b", "2066"),
        ("\ud800", "D800"),
    ],
)
def test_what_hides_is_named(text: str, code: str) -> None:
    for field in attrs.fields(Seen):
        with pytest.raises(ValueError, match=rf"must not contain the control character U\+{code} \(\d\)"):
            check(field, text)


@pytest.mark.parametrize("text", ["", "  ", "\u200b", "\u00a0"])
def test_a_name_can_be_seen_and_a_note_left_out(text: str) -> None:
    name, note = attrs.fields(Seen)
    with pytest.raises(ValueError, match="must not be empty"):
        check(name, text)
    check(note, text)
