"""What texts a content may have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.errors import Invalid
from streamgate_metadata.texts import TAGS_MAX, TITLE_MAX_CHARS, search_text, search_words, tidy_texts


def test_texts_are_trimmed_and_composed() -> None:
    texts = tidy_texts(title="  Cafe\u0301 ", description="one\r\ntwo\n", category=" film ")
    assert texts.title == "Café"
    assert texts.description == "one\ntwo"
    assert texts.category == "film"
    assert texts.tags is None


def test_repeated_tags_are_kept_once_in_their_first_spelling() -> None:
    assert tidy_texts(tags=["Bunny", "bunny ", "Film"]).tags == ("Bunny", "Film")


@pytest.mark.parametrize(
    "title",
    [
        "",
        "   ",
        "x" * (TITLE_MAX_CHARS + 1),
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "a\u2028b",
        "fdp\u202etxt",
        "a\ud800b",
        "a\tb",
    ],
)
def test_bad_title_is_refused_by_field(title: str) -> None:
    with pytest.raises(Invalid) as caught:
        tidy_texts(title=title)
    assert {error.field for error in caught.value.errors} == {"title"}


def test_description_may_have_lines_but_no_escapes() -> None:
    assert tidy_texts(description="one\n\ttwo").description == "one\n\ttwo"
    with pytest.raises(Invalid):
        tidy_texts(description="\x1b[31mred")


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        tidy_texts(title="", tags=["ok", "\x07", ""], category="y" * 51)
    assert [error.field for error in caught.value.errors] == ["title", "tags[1]", "tags[2]", "category"]


def test_too_many_tags_are_refused() -> None:
    with pytest.raises(Invalid) as caught:
        tidy_texts(tags=[f"t{n}" for n in range(TAGS_MAX + 1)])
    assert caught.value.errors[0].field == "tags"


@given(st.text(max_size=300))
def test_an_accepted_title_is_stable_and_prints_on_one_line(title: str) -> None:
    try:
        first = tidy_texts(title=title).title
    except Invalid:
        return
    assert first is not None
    assert tidy_texts(title=first).title == first
    assert len(first.splitlines()) == 1


@given(st.text(min_size=1, max_size=40))
def test_a_text_is_found_by_its_own_words(text: str) -> None:
    haystack = search_text(text, "", ())
    normal = search_text(" ".join(search_words(text)), "", ())
    assert all(word in haystack or word in normal for word in search_words(text))
