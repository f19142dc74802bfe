"""How heads of answers are written, and that no header forges another."""

from __future__ import annotations

from typing import Any

import pytest

from streamgate.engine import heads
from streamgate.engine.heads import Head, render_head

STEADY = (b"content-type", b"text/plain")


@pytest.mark.parametrize("again", [1, 2], ids=["first", "known"])
def test_lines_are_as_they_were_given(again: int) -> None:
    given = [STEADY, (b"X-Tag", b"\xe9 a\tb"), (b"x-request-id", b"0af7"), (b"vary", b"Origin"), (b"vary", b"Accept")]
    for _ in range(again):
        head = render_head(given)
    assert head == Head(
        [
            b"content-type: text/plain\r\n",
            b"x-tag: \xe9 a\tb\r\n",
            b"x-request-id: 0af7\r\n",
            b"vary: Origin\r\n",
            b"vary: Accept\r\n",
        ]
    )


def test_pairs_may_be_lists() -> None:
    """As the specification of ASGI allows."""
    given: list[Any] = [[b"content-type", b"text/csv"], [b"content-length", b"7"]]
    for _ in range(2):
        assert render_head(given) == Head([b"content-type: text/csv\r\n", b"content-length: 7\r\n"], 7, False)


@pytest.mark.parametrize("name", [b"x-tag", b"content-type", b"location"])
@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x=1", b"a\nb", b"a\0", b"\x7f", b"\r"])
def test_a_value_that_would_end_its_line_is_refused(name: bytes, value: bytes) -> None:
    render_head([(name, b"good")])  # whose name is known now
    for _ in range(2):
        with pytest.raises(ValueError, match="control characters"):
            render_head([(name, value)])


@pytest.mark.parametrize("name", [b"x tag", b"x:", b"x\r\ny", b"content-type\r\n", b""])
def test_a_name_that_is_none_is_refused(name: bytes) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="cannot be named"):
            render_head([(name, b"1")])


@pytest.mark.parametrize(
    ("headers", "length", "is_chunked", "closes"),
    [
        ([STEADY], 0, None, False),
        ([(b"content-length", b"12")], 12, False, False),
        ([(b"Content-Length", b"12")], 12, False, False),
        ([(b"transfer-encoding", b"Chunked")], 0, True, False),
        ([(b"content-length", b"12"), (b"transfer-encoding", b"chunked")], 0, True, False),
        ([(b"transfer-encoding", b"chunked"), (b"content-length", b"12")], 0, True, False),
        ([(b"connection", b"keep-alive")], 0, None, False),
        ([(b"connection", b"Upgrade, Close")], 0, None, True),
    ],
)
def test_what_it_says_of_the_body_and_the_connection(
    headers: list[tuple[bytes, bytes]], length: int, is_chunked: bool | None, closes: bool
) -> None:
    for _ in range(2):
        head = render_head(headers)
        assert (head.content_length, head.is_chunked, head.closes) == (length, is_chunked, closes)


def test_a_length_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        render_head([(b"content-length", b"twelve")])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "MAX_KNOWN", 3)
    for memory in ("_known", "_prefixes"):
        monkeypatch.setattr(heads, memory, {})
    for number in range(10):
        value = b"%d" % number
        head = render_head([(b"content-type", value), (b"x-%d" % number, value), (b"vary", b"v" * 300)])
        assert head.lines[0] == b"content-type: " + value + b"\r\n"
    assert len(heads._known) == 3
    assert len(heads._prefixes) == 3
