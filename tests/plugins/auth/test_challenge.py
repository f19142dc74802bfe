"""Stateless challenges: ours, in time, and as they were issued."""

from __future__ import annotations

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.auth import ChallengeExpired, ChallengeInvalid
from streamgate.sdk.evm import Address, ChainId
from streamgate.testing.attacks import attack
from streamgate.testing.clock import FakeClock
from streamgate_auth.challenge import MAX_ID_CHARS, TTL_S, ChallengeBook

ADDRESS = Address("0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2")
ALPHABET = string.ascii_letters + string.digits + "-_"
CHAIN = ChainId("eip155:9223372036854775807")


def book(clock: FakeClock | None = None, key: bytes = b"k" * 32) -> ChallengeBook:
    return ChallengeBook(key, clock or FakeClock())


def test_what_was_issued_comes_back_whole_and_fits_the_limit() -> None:
    challenge_id, challenge = book().issue("siwe", ADDRESS, CHAIN)
    assert book().open(challenge_id).challenge == challenge
    assert (challenge.address, challenge.chain, challenge.expires_at_s - challenge.issued_at_s) == (
        ADDRESS,
        CHAIN,
        TTL_S,
    )
    assert len(challenge_id) <= MAX_ID_CHARS


@attack("B1")
async def test_it_expires_after_five_minutes() -> None:
    clock = FakeClock()
    challenge_id, _ = book(clock).issue("siwe", ADDRESS, CHAIN)
    clock.jump(TTL_S - 0.001)
    book(clock).open(challenge_id)
    clock.jump(0.001)
    with pytest.raises(ChallengeExpired):
        book(clock).open(challenge_id)


def test_another_servers_challenge_is_refused() -> None:
    challenge_id, _ = book(key=b"o" * 32).issue("siwe", ADDRESS, CHAIN)
    with pytest.raises(ChallengeInvalid):
        book().open(challenge_id)


ISSUED, _ = book().issue("siwe", ADDRESS, CHAIN)


@attack("B1")
@given(st.data())
def test_no_changed_id_opens(data: st.DataObject) -> None:
    challenge_id = ISSUED
    at = data.draw(st.integers(0, len(challenge_id) - 1))
    other = data.draw(st.sampled_from(sorted(set(ALPHABET) - {challenge_id[at]})))
    changed = challenge_id[:at] + other + challenge_id[at + 1 :]
    try:
        opened = book().open(changed)
    except ChallengeInvalid:
        return
    # The last character of base64 may have spare bits: the same bytes, spelled otherwise. Used up together.
    assert at == len(challenge_id) - 1
    assert opened.fingerprint == book().open(challenge_id).fingerprint


@pytest.mark.parametrize(
    "garbage", ["", "x", "ä" * 20, "A" * 512, "A" * 513, "=", "a.b.c", base64.b64encode(b"x" * 64).decode()]
)
def test_garbage_is_refused(garbage: str) -> None:
    with pytest.raises(ChallengeInvalid):
        book().open(garbage)


def test_two_challenges_never_share_a_nonce_or_fingerprint() -> None:
    ids = [book().issue("siwe", ADDRESS, CHAIN)[0] for _ in range(200)]
    assert len({book().open(one).challenge.nonce for one in ids}) == 200
    assert len({book().open(one).fingerprint for one in ids}) == 200
