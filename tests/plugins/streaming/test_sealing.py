"""Ciphertext and keys: what is derived, what is encrypted, and that others can undo it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from itertools import accumulate

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgate.sdk.playlists.presentation import Presentation, Track
from streamgate.testing.attacks import attack
from streamgate_streaming.protected import aes128, cenc
from streamgate_streaming.protected.boxes import UnknownLayout
from streamgate_streaming.protected.content_keys import ContentKeys, key_periods
from streamgate_streaming.protected.subsamples import BLOCK_BYTES, CLEAR_BYTES, MOST_ENCRYPTED, subsamples_of
from streamgate_transcoder.media.fragments import Sample, write_segment
from tests.plugins.streaming.reels import SEGMENTS, Reel, decoded, make_reels, nal

KEYS = ContentKeys(media="/m/c_film/1/", secret=bytes(range(32)), starts=(0, 2))
KID = bytes(range(16))


@pytest.fixture(scope="session")
def reels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reel]:
    return make_reels(tmp_path_factory.mktemp("reels"))


def sealed_by_cenc(reel: Reel, track_id: str) -> tuple[bytes, str]:
    """All of a rendition, and its one key."""
    key = KEYS.key("cenc", track_id, 0)
    parts = [cenc.encrypted_init(reel.init, KEYS.kid(track_id, 0))]
    parts += [
        cenc.encrypted_segment(
            segment, key=key, first_counter=KEYS.first_counter(track_id), n=n, is_video=track_id[0] == "v"
        )
        for n, segment in enumerate(reel.segments)
    ]
    return b"".join(parts), key.hex()


# --- keys -------------------------------------------------------------------------------------------


def test_no_key_serves_two_places_and_none_is_printed() -> None:
    places = [(track, period) for track in ("v720", "v72", "a128") for period in (0, 1, 10)]
    derived = [KEYS.key(mode, *place) for mode in ("hls", "cenc") for place in places]
    derived += [value for place in places for value in (KEYS.iv(*place), KEYS.kid(*place))]
    assert len(set(derived)) == 4 * len(places)
    assert {len(value) for value in derived} == {16}
    other = ContentKeys(media=KEYS.media, secret=bytes(32), starts=(0,))
    assert other.key("hls", "v720", 0) not in derived
    assert repr(KEYS.secret) not in repr(KEYS)


def test_a_key_is_what_it_was() -> None:
    """Ciphertext lies in caches under addresses that never change."""
    assert KEYS.key("hls", "v720", 0).hex() == "1ccd0ef2b57ff017ecb5abd005630d0d"
    assert KEYS.iv("v720", 1).hex() == "f7eba71e1c1604fb849e236e6866858e"
    assert KEYS.key("cenc", "a128", 1).hex() == "5779837d86ffe0ac8caaebf2ca5db3dc"
    assert KEYS.kid("a128", 1).hex() == "59ff1b79a0b1fd310dae2caccdf082bf"


def test_key_periods_begin_with_segments(
    make_track: Callable[..., Track], make_presentation: Callable[..., Presentation]
) -> None:
    grid = list(accumulate([4, 3, 5, 4, 10, 2, 2], initial=0))
    film = make_presentation([make_track("v720", grid, 1, target_duration_s=10)])
    assert key_periods(film, 7) == (0, 2, 4, 5, 6)
    assert key_periods(film, 600) == (0,)
    assert key_periods(film, 1) == tuple(range(7))
    keys = ContentKeys(media="", secret=b"", starts=key_periods(film, 7))
    assert [keys.period_of(n) for n in range(7)] == [0, 0, 1, 1, 2, 3, 4]


# --- AES-128 ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(clear=st.binary(max_size=200))
def test_aes_128_is_undone_by_the_standard(clear: bytes) -> None:
    key, iv = bytes(range(16)), bytes(range(16, 32))
    sealed = aes128.encrypt(key, iv, clear)
    assert len(sealed) == (len(clear) // 16 + 1) * 16
    opener, unpadder = Cipher(AES128(key), CBC(iv)).decryptor(), PKCS7(128).unpadder()
    assert unpadder.update(opener.update(sealed) + opener.finalize()) + unpadder.finalize() == clear


# --- CENC -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("track_id", ["v180", "a128"])
def test_ffmpeg_decodes_what_was_clear(reels: dict[str, Reel], track_id: str) -> None:
    reel = reels[track_id]
    sealed, key = sealed_by_cenc(reel, track_id)
    clear = decoded(reel.init + b"".join(reel.segments))
    assert len(clear) >= 15 * SEGMENTS
    assert decoded(sealed, decryption_key=key) == clear


@attack("B48")
@pytest.mark.parametrize("track_id", ["v180", "a128"])
def test_without_the_key_nothing_of_it_decodes(reels: dict[str, Reel], track_id: str) -> None:
    reel = reels[track_id]
    sealed, key = sealed_by_cenc(reel, track_id)
    clear = set(decoded(reel.init + b"".join(reel.segments)))
    for options in ({}, {"decryption_key": bytes(16).hex()}):
        try:
            seen = decoded(sealed, **options)
        except (OSError, ValueError):
            seen = []
        assert not clear & set(seen)
    assert key not in sealed.hex()


def test_ciphertext_is_what_it_was() -> None:
    """Another way of writing it would need other addresses: caches hold this one."""
    samples = [Sample(pts_ticks=n, data=nal(6, 30) + nal(5, 500 + n) + nal(1, 40), is_sync=n == 0) for n in range(3)]
    clear = write_segment(1, samples, 3)
    key, counter = KEYS.key("cenc", "v720", 0), KEYS.first_counter("v720")
    sealed = cenc.encrypted_segment(clear, key=key, first_counter=counter, n=2, is_video=True)
    assert hashlib.sha256(sealed).hexdigest() == "798b817fc1bc7f87586c0526ed99b3676ea437b3ac2d0e68d27ce96e106044e8"
    sealed = aes128.encrypt(KEYS.key("hls", "v720", 0), KEYS.iv("v720", 0), clear)
    assert hashlib.sha256(sealed).hexdigest() == "e71c3bc73209066b677c2a24a72aa9c120ae22faae6e54a40e9eb3a77fe59e73"


def test_a_segment_alone_is_encrypted_as_it_is_among_others(reels: dict[str, Reel]) -> None:
    reel, key = reels["v180"], KEYS.key("cenc", "v180", 0)
    first, again = (
        cenc.encrypted_segment(reel.segments[1], key=key, first_counter=2**64 - 3, n=1, is_video=True) for _ in "12"
    )
    assert hashlib.sha256(first).digest() == hashlib.sha256(again).digest()
    alone = cenc.encrypted_init(reel.init, KID) + first
    assert decoded(alone, decryption_key=key.hex()) == decoded(reel.init + reel.segments[1])


@pytest.mark.parametrize("damage", ["cut", "longer", "other", "no moov"])
def test_what_is_no_segment_of_ours_is_refused(reels: dict[str, Reel], damage: str) -> None:
    whole = reels["v180"].segments[0]
    damaged = {"cut": whole[:-5], "longer": whole + b"\0" * 9, "other": b"no segment" * 9, "no moov": whole}[damage]
    if damage == "no moov":
        with pytest.raises(UnknownLayout):
            cenc.encrypted_init(damaged, KID)
        return
    with pytest.raises(UnknownLayout):
        cenc.encrypted_segment(damaged, key=KID, first_counter=0, n=0, is_video=True)


# --- maps of subsamples -----------------------------------------------------------------------------

UNITS = st.lists(st.tuples(st.integers(1, 12), st.integers(6, 900)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(units=UNITS)
def test_maps_fill_the_sample_and_leave_headers_clear(units: list[tuple[int, int]]) -> None:
    sample = b"".join(nal(kind, size) for kind, size in units)
    runs = subsamples_of(memoryview(sample))
    assert sum(clear + count for clear, count in runs) == len(sample)
    assert 8 + 2 + 6 * len(runs) <= 255
    encrypted = set[int]()
    at = 0
    for clear, count in runs:
        assert 0 <= clear <= 0xFFFF
        assert count % BLOCK_BYTES == 0
        encrypted |= set(range(at + clear, at + clear + count))
        at += clear + count
    starts = list(accumulate((size for _, size in units), initial=0))
    slices = [(start, size) for (kind, size), start in zip(units, starts, strict=False) if 1 <= kind <= 5]
    for (kind, size), start in zip(units, starts, strict=False):
        head = CLEAR_BYTES if 1 <= kind <= 5 else size
        assert encrypted.isdisjoint(range(start, start + min(head, size)))
    if len(slices) <= MOST_ENCRYPTED:
        wanted = sum((size - CLEAR_BYTES) // BLOCK_BYTES * BLOCK_BYTES for _, size in slices if size > CLEAR_BYTES)
        assert len(encrypted) == wanted


def test_long_clear_runs_are_told_in_pieces() -> None:
    sample = nal(6, 150_000) + nal(5, 1_000)
    runs = subsamples_of(memoryview(sample))
    assert [count for _, count in runs[:-1]] == [0, 0]
    assert runs[-1][1] == (1_000 - CLEAR_BYTES) // 16 * 16
    assert sum(clear for clear, _ in runs) == len(sample) - runs[-1][1]


@pytest.mark.parametrize("sample", [b"\0\0\0\x09\x65\1", b"\0\0\0\0\x65", b"\0\0\0"])
def test_units_that_do_not_fit_are_refused(sample: bytes) -> None:
    with pytest.raises(UnknownLayout):
        subsamples_of(memoryview(sample))


def test_a_key_id_is_the_one_of_the_head(reels: dict[str, Reel]) -> None:
    kid = KEYS.kid("v180", 0)
    head = cenc.encrypted_init(reels["v180"].init, kid)
    assert head.count(kid) == 1
    assert b"encv" in head
    assert b"avc1" in head.partition(b"frma")[2]
    assert base64.b64encode(kid) != base64.b64encode(KEYS.key("cenc", "v180", 0))
