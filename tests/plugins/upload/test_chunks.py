"""The arithmetic of chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.uploads import ChunkInvalid
from streamgate_upload.chunks import CHUNKS_MAX, Chunks, cut

SIZES = st.integers(1, 2**50)
CHUNK_SIZES = st.integers(5 * 2**20, 2**30)


@given(SIZES, CHUNK_SIZES)
def test_a_cut_never_has_more_chunks_than_an_object_may_have_parts(size_bytes: int, wanted: int) -> None:
    chunks = cut(size_bytes, wanted)
    assert 1 <= chunks.count <= CHUNKS_MAX
    assert chunks.chunk_size_bytes >= wanted


@given(st.integers(1, 5000), st.integers(1, 700))
def test_the_lengths_add_up_to_the_size(size_bytes: int, chunk_size_bytes: int) -> None:
    chunks = Chunks(size_bytes, chunk_size_bytes)
    lengths = [chunks.length_bytes(index) for index in range(chunks.count)]
    assert sum(lengths) == size_bytes
    assert set(lengths[:-1]) <= {chunk_size_bytes}
    assert 0 < lengths[-1] <= chunk_size_bytes


@given(st.integers(1, 5000), st.integers(1, 700), st.data())
def test_received_and_missing_are_complements_in_any_order(
    size_bytes: int, chunk_bytes: int, data: st.DataObject
) -> None:
    chunks = Chunks(size_bytes, chunk_bytes)
    sent = data.draw(st.lists(st.integers(0, chunks.count - 1), max_size=30))
    missing = chunks.missing(sent)
    assert set(missing) | set(sent) == set(range(chunks.count))
    assert not set(missing) & set(sent)
    assert list(missing) == sorted(missing)
    assert chunks.received_bytes(sent) + chunks.received_bytes(missing) == size_bytes


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_index_outside_is_refused(index: int) -> None:
    with pytest.raises(ChunkInvalid):
        Chunks(30, 10).length_bytes(index)
