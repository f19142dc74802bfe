"""Recovering signers, and refusing every second form of a signature."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgate.testing.attacks import attack
from streamgate.testing.wallets import Wallet
from streamgate_auth.signature import BadSignature, recover_signer

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ALICE = Wallet.named("alice")
MESSAGE = "hello"

# spruceid/siwe-py, tests/data/validation_positive.json, "example message": written and signed by others.
SIWE_VECTOR = b"""login.xyz wants you to sign in with your Ethereum account:
0xb8a316ea8a9e48ebd25b73c71bc0f22f5c337d1f

Sign-In With Ethereum Example Statement

URI: https://login.xyz
Version: 1
Chain ID: 1
Nonce: uolthxpe
Issued At: 2021-11-25T02:36:37.013Z"""
SIWE_VECTOR_SIGNATURE = (
    "0x6eabbdf0861ca83b6cf98381dcbc3db16dffce9a0449dc8b359718d13b0093c3"
    "285b6dea7e84ad1aa4871b63899319a988ddf39df3080bcdc60f68dd0942e8221c"
)


def parts(signature: str) -> tuple[str, int, int]:
    """r as hex, s, v."""
    return signature[2:66], int(signature[66:130], 16), int(signature[130:], 16)


def test_a_published_vector_names_its_signer() -> None:
    assert recover_signer(SIWE_VECTOR, SIWE_VECTOR_SIGNATURE) == "0xB8a316ea8A9e48ebd25B73c71Bc0f22F5C337D1f"


@settings(max_examples=25)
@given(st.text(max_size=300))
def test_what_eth_account_signs_is_recovered(message: str) -> None:
    text = message.encode("utf-8", "replace").decode()
    assert recover_signer(text.encode(), ALICE.sign(text)) == ALICE.address


@attack("B7")
def test_v_may_be_0_1_27_28_and_nothing_else() -> None:
    r, s, v = parts(ALICE.sign(MESSAGE))
    assert recover_signer(MESSAGE.encode(), f"0x{r}{s:064x}{v - 27:02x}") == ALICE.address
    for other in {*range(256)} - {0, 1, 27, 28}:
        with pytest.raises(BadSignature, match="v must be"):
            recover_signer(MESSAGE.encode(), f"0x{r}{s:064x}{other:02x}")


@attack("B7")
def test_the_malleable_twin_is_refused() -> None:
    r, s, v = parts(ALICE.sign(MESSAGE))
    twin = f"0x{r}{ORDER - s:064x}{55 - v:02x}"  # the same key recovers from it
    with pytest.raises(BadSignature, match="upper half"):
        recover_signer(MESSAGE.encode(), twin)


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param("", id="empty"),
        pytest.param("0x", id="no digits"),
        pytest.param("0x" + "0" * 130, id="zero"),
        pytest.param("0x" + "f" * 128 + "1b", id="out of range"),
        pytest.param("0x" + "0" * 63 + "5" + "0" * 63 + "1" + "1b", id="r is no point"),
        pytest.param("0x" + "1" * 128, id="64 bytes"),
        pytest.param("0x" + "1" * 132, id="66 bytes"),
        pytest.param("1" * 130, id="without 0x"),
        pytest.param("0x" + "g" * 130, id="not hex"),
        pytest.param("0x" + "1" * 129 + "\n", id="line break"),
    ],
)
def test_what_is_no_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        recover_signer(MESSAGE.encode(), signature)


def test_a_changed_message_names_somebody_else() -> None:
    assert recover_signer(b"hello!", ALICE.sign(MESSAGE)) != ALICE.address
