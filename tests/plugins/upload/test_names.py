"""File names: shown, never used; titles from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.testing.attacks import attack
from streamgate_upload.names import FILENAME_MAX_CHARS, is_content_type, tidy_filename, title_of


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("clip.mp4", "clip.mp4"),
        ("C:\\Users\\me\\clip.mp4", "clip.mp4"),
        ("../../etc/passwd", "passwd"),
        ("/abs/olute/..", "upload"),
        (".hidden", "hidden"),
        ("a\x00b\r\nSet-Cookie: x.mp4", "abSet-Cookie x.mp4"),
        ("gpj\u202e4pm.mp4", "gpj4pm.mp4"),
        ("", "upload"),
        ("Cafe\u0301.mp4", "Café.mp4"),
    ],
)
def test_file_names_are_tidied(sent: str, kept: str) -> None:
    assert tidy_filename(sent) == kept


@attack("B34", "B35")
@given(st.text(max_size=400))
def test_a_tidied_name_is_harmless_and_stable(sent: str) -> None:
    name = tidy_filename(sent)
    assert name
    assert len(name) <= FILENAME_MAX_CHARS
    assert name not in (".", "..")
    assert not set(name) & set("/\\\0\r\n")
    assert tidy_filename(name) == name


def test_a_long_name_keeps_its_ending() -> None:
    assert tidy_filename("x" * 500 + ".webm").endswith("x.webm")


def test_the_title_is_the_name_without_its_ending() -> None:
    assert title_of("Big Buck Bunny.mp4") == "Big Buck Bunny"
    assert title_of("no ending") == "no ending"


@pytest.mark.parametrize(
    ("text", "expected"), [("video/mp4", True), ("video", False), ("video/mp4; x=1", False), ("a/\r\n", False)]
)
def test_content_types(text: str, expected: bool) -> None:
    assert is_content_type(text) is expected
