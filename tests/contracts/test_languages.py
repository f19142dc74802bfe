"""Languages as containers say them, and as players name them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.languages import bcp47


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("eng", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("FRE", "fr"),
        ("fil", "fil"),
        ("en-US", "en-US"),
        ("pt_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("sr-latn", "sr-Latn"),
        ("ca-valencia", "ca-valencia"),
        ("und", ""),
        ("zxx", ""),
        ("", ""),
        ("english", ""),
        ('en"', ""),
        ("en-US-x-private", ""),
    ],
)
def test_known_ones(said: str, tag: str) -> None:
    assert bcp47(said) == tag


@given(st.one_of(st.text(max_size=12), st.from_regex(r"[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{2,8}){0,3}", fullmatch=True)))
def test_a_tag_stays_as_it_is_and_can_stand_anywhere(said: str) -> None:
    tag = bcp47(said)
    assert bcp47(tag) == tag
    assert tag == "" or tag.replace("-", "").isalnum()
    assert tag.isascii()
