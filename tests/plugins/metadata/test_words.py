"""Words, terms, edits and marks: the parts of search that know no database."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate_metadata.search.highlights import Marker
from streamgate_metadata.search.query import TERMS_MAX, Term, parse
from streamgate_metadata.search.typos import edits, nearest
from streamgate_metadata.search.words import encoded, fold, words


def texts_of(text: str) -> list[str]:
    return [word.text for word in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't stop-me_now", ["don", "t", "stop", "me", "now"]),
        ("Ünïcode ＡＢ１２ ½", ["unicode", "ab12", "1", "2"]),
        ("Łódź Ærø Straße İstanbul", ["lodz", "aero", "strasse", "istanbul"]),
        ("東京都", ["東京", "京都", "都"]),
        ("x東y", ["x", "東", "y"]),
        ("한국어", ["한국", "국어", "어"]),
        ("🎬🎬 ok", ["🎬", "🎬", "ok"]),
        ("हिन्दी", ["हिन्दी"]),
        ("%_* \u0301 …", []),
    ],
)
def test_words_are_cut_and_folded(text: str, expected: list[str]) -> None:
    assert texts_of(text) == expected


@given(st.text(max_size=80))
def test_every_word_is_where_it_says_and_has_a_code_that_needs_no_quotes(text: str) -> None:
    for word in words(text):
        assert 0 <= word.begins < word.ends <= len(text)
        assert word.text
        assert re.fullmatch("[0-9a-z_]+", encoded(word.text))


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_beginning_of_a_word_is_the_beginning_of_its_code(begins: str, ends: str) -> None:
    assert encoded(begins + ends).startswith(encoded(begins)) or encoded(begins).isalnum()


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text) or texts_of(fold(text)) == texts_of(text)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("Wolf field", [Term(("wolf",), True, 1), Term(("field",), True, 1)]),
        ("wolf WOLF", [Term(("wolf",), True, 1)]),
        ("sunflower a", [Term(("sunflower",), True, 2), Term(("a",))]),
        ('"big buck" b2', [Term(("big", "buck")), Term(("b2",), True)]),
        ('say "hi', [Term(("say",), True), Term(("hi",), True)]),
        ('"" “x”', [Term(("x",))]),
        ("東京タ", [Term(("東京", "京タ"))]),
        ("東", [Term(("東",), True)]),
        ("東 京", [Term(("東",), True), Term(("京",), True)]),
        ('"東京"', [Term(("東京",))]),
        ("%", []),
    ],
)
def test_a_query_is_terms(q: str, expected: list[Term]) -> None:
    assert list(parse(q)) == expected


@given(st.text(max_size=300))
def test_every_text_is_a_query(q: str) -> None:
    terms = parse(q)
    assert len(terms) <= TERMS_MAX
    assert all(term.words and all(term.words) for term in terms)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("wolf", "wolf", 0),
        ("wolf", "wolfe", 1),
        ("wolf", "olf", 1),
        ("wolf", "wlof", 1),
        ("wolf", "wulf", 1),
        ("wolf", "gulf", 2),
        ("wolf", "abcd", 3),
        ("wolf", "wolfgang", 3),
    ],
)
def test_edits_are_counted_up_to_a_limit(one: str, other: str, expected: int) -> None:
    assert edits(one, other, 2) == edits(other, one, 2) == expected


def test_the_nearest_come_first_and_the_word_itself_is_none_of_them() -> None:
    assert nearest("wolf", ["gulf", "wolf", "wolfe", "house"], 2) == ("wolfe", "gulf")


@given(st.text(max_size=60), st.text(max_size=400), st.lists(st.text(max_size=20), max_size=3), st.text(max_size=20))
def test_marks_hold_the_text_and_no_markup_but_their_own(title: str, description: str, tags: list[str], q: str) -> None:
    marked = Marker(parse(q)).mark(title, description, tags)
    for text in (marked.title, marked.description, *marked.tags):
        bare = text.replace("<mark>", "").replace("</mark>", "")
        assert text.count("<mark>") == text.count("</mark>")
        assert not set('<>"') & set(bare)
        assert all(sign.isprintable() or sign not in "\n\t\r\0\x1b\u202e" for sign in bare)


@given(st.text("aAbB 1é-_", max_size=40), st.lists(st.text("ab1", min_size=1, max_size=3), max_size=3), st.booleans())
def test_marks_are_the_same_in_plain_texts_as_in_any(text: str, sought: list[str], is_prefix: bool) -> None:
    plain = text.replace("é", " ")
    terms = [Term((word,), is_prefix=is_prefix and n == 0) for n, word in enumerate(sought)]
    marker = Marker(terms, near=["ba", "à"])
    beside_another = marker.mark(f"{plain} é", "", (plain, "é"))
    alone = marker.mark(plain, "", (plain, "é"))
    assert beside_another.title == f"{alone.title} é"
    assert alone.tags == tuple(tag for tag in (alone.title,) if "<mark>" in tag)


def test_a_word_that_was_cut_is_marked_whole() -> None:
    marker = Marker(parse("x" * 70))
    assert marker.mark("x" * 80, "", ()).title == f"<mark>{'x' * 80}</mark>"
    assert marker.mark("x" * 63, "", ()).title == "x" * 63
