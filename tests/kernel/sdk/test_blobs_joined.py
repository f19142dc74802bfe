"""How objects become one. In S3: parts of any sizes, none too small but the last, as much as can be copied inside the
store. On a disk that cannot copy by itself: by hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.sdk.blobs import files, s3_join
from streamgate.sdk.blobs.s3_join import COPY_BYTES, Slice, plan_parts

MIN_BYTES = 5 * 1024 * 1024


@given(st.lists(st.integers(1, 4 * COPY_BYTES) | st.integers(1, 2 * MIN_BYTES), min_size=1, max_size=20))
def test_every_byte_is_in_one_part_in_order(sizes: list[int]) -> None:
    sources = [(f"k{number}", size) for number, size in enumerate(sizes)]
    parts = plan_parts(sources, MIN_BYTES)
    at = {key: 0 for key, _ in sources}
    seen: list[str] = []
    for part in parts:
        for piece in part:
            assert piece.start == at[piece.key]
            assert piece.length > 0
            at[piece.key] += piece.length
            seen.append(piece.key)
    assert at == dict(sources)
    assert seen == sorted(seen, key=lambda key: int(key[1:]))
    lengths = [sum(piece.length for piece in part) for part in parts]
    assert all(length >= MIN_BYTES for length in lengths[:-1])
    read = [length for part, length in zip(parts, lengths, strict=True) if len(part) > 1]
    assert all(length <= MIN_BYTES for length in read)  # what goes through us is bounded


def test_what_is_large_is_copied_in_parts_that_s3_takes() -> None:
    assert plan_parts([("a", COPY_BYTES + 1), ("b", MIN_BYTES)], MIN_BYTES) == [
        [Slice("a", 0, COPY_BYTES)],
        [Slice("a", COPY_BYTES, 1), Slice("b", 0, MIN_BYTES - 1)],
        [Slice("b", MIN_BYTES - 1, 1)],
    ]
    five_tebibytes = 5 * 2**40
    assert len(plan_parts([("a", five_tebibytes)], MIN_BYTES)) <= s3_join.COPIES_MAX


def test_files_are_joined_where_the_kernel_cannot_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> int:
        raise OSError(errno.EXDEV, "not between these")

    monkeypatch.setattr(os, "copy_file_range", refuses)
    source, target = tmp_path / "source", tmp_path / "target"
    data = bytes(range(256)) * 8192
    source.write_bytes(data)
    start = 0
    while done := files.append_range(source, start, target, 1_500_000, 0):
        start += done
    assert target.read_bytes() == data
