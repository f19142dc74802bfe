from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate_streaming.ranges import ByteRange, RangeUnsatisfiable, parse_range


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(1, 10_000))
def test_a_closed_range_is_what_slicing_gives(first: int, length: int, size: int) -> None:
    last = first + length
    if first >= size:
        with pytest.raises(RangeUnsatisfiable):
            parse_range(f"bytes={first}-{last}", size)
        return
    found = parse_range(f"bytes={first}-{last}", size)
    assert found is not None
    whole = range(size)
    assert whole[found.first : found.last + 1] == whole[first : last + 1]


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_an_open_range_reaches_the_end(first: int, size: int) -> None:
    if first >= size:
        with pytest.raises(RangeUnsatisfiable):
            parse_range(f"bytes={first}-", size)
    else:
        assert parse_range(f"bytes={first}-", size) == ByteRange(first, size - 1)


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_suffix_is_the_last_bytes(suffix: int, size: int) -> None:
    found = parse_range(f"bytes=-{suffix}", size)
    assert found is not None
    assert found.length_bytes == min(suffix, size)
    assert found.last == size - 1


@given(st.text(), st.integers(0, 10_000))
def test_no_header_breaks_it_and_what_it_grants_exists(header: str, size: int) -> None:
    for text in (header, f"bytes={header}"):
        try:
            found = parse_range(text, size)
        except RangeUnsatisfiable:
            continue
        assert found is None or 0 <= found.first <= found.last < size


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,4-5", "items=0-1", "bytes=0-1x", "bytes=٣-٤"],
)
def test_what_is_not_one_range_means_the_whole(header: str | None) -> None:
    assert parse_range(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9999999999999999999-"])
def test_a_range_beyond_the_end_is_unsatisfiable(header: str) -> None:
    with pytest.raises(RangeUnsatisfiable):
        parse_range(header, 100)
