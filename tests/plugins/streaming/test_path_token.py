from __future__ import annotations

import base64
import string

from hypothesis import given
from hypothesis import strategies as st

from streamgate.testing.attacks import attack
from streamgate_streaming.path_token import PathKey, make_token, read_token

KEY = PathKey("k1", bytes(range(32)))
SESSION_IDS = st.text(string.ascii_letters + string.digits, min_size=22, max_size=22).map(lambda text: f"s_{text}")


@given(SESSION_IDS)
def test_a_token_reads_back_and_is_always_the_same(session_id: str) -> None:
    token = make_token(KEY, session_id)
    assert read_token(KEY, token) == session_id
    assert make_token(KEY, session_id) == token


@attack("B12")
@given(SESSION_IDS, st.integers(0, 53), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_a_token_changed_in_one_character_is_refused(session_id: str, position: int, letter: str) -> None:
    token = make_token(KEY, session_id)
    changed = token[:position] + letter + token[position + 1 :]
    assert (read_token(KEY, changed) == session_id) is (changed == token)


@given(st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_garbage_is_refused(garbage: str) -> None:
    assert read_token(KEY, garbage) is None


@given(SESSION_IDS)
def test_another_key_or_key_id_opens_nothing(session_id: str) -> None:
    token = make_token(KEY, session_id)
    assert read_token(PathKey("k1", bytes(32)), token) is None
    assert read_token(PathKey("k2", KEY.secret), token) is None


@given(SESSION_IDS)
def test_the_last_character_has_one_spelling(session_id: str) -> None:
    # It carries two bits of the mark and four that decoders ignore.
    token = make_token(KEY, session_id)
    read = [letter for letter in string.ascii_letters + string.digits + "-_" if read_token(KEY, token[:-1] + letter)]
    assert read == [token[-1]]


@given(SESSION_IDS, st.sampled_from(["=", "==", "\n", " ", "%3D"]))
def test_a_second_spelling_of_a_token_is_refused(session_id: str, extra: str) -> None:
    assert read_token(KEY, make_token(KEY, session_id) + extra) is None


def test_the_mark_is_hmac_sha256_over_key_id_and_session_id() -> None:
    # Computed with: printf 'k1s_0000000000000000000000' | openssl dgst -sha256 -mac HMAC -macopt hexkey:000102…1f
    raw = base64.urlsafe_b64decode(make_token(KEY, "s_" + "0" * 22) + "==")
    assert raw[:24] == b"s_" + b"0" * 22
    assert raw[24:].hex() == "82716620d575655cfd25617698330c73"


def test_the_secret_is_not_printed() -> None:
    assert repr(KEY.secret) not in repr(KEY)
