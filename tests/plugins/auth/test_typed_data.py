"""EIP-712: our hash is the one that others sign, for whatever the facts are."""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from streamgate.contracts.hooks import SigningFacts
from streamgate.testing.attacks import attack
from streamgate.testing.wallets import Wallet
from streamgate_auth.schemes.typed_data import FIELDS, PRIMARY_TYPE, hash_typed_data, typed_data
from streamgate_auth.signature import recover_from_hash

ALICE = Wallet.named("alice")
texts = st.text(max_size=60)


@given(texts, texts, texts, st.integers(1, 2**62))
def test_the_hash_is_that_of_another_implementation(statement: str, origin: str, nonce: str, number: int) -> None:
    facts = SigningFacts(
        address=ALICE.address,
        chain=f"eip155:{number}",
        origin=origin,
        domain="video.example",
        statement=statement,
        nonce=nonce,
        issued_at="2027-01-15T08:00:00Z",
        expires_at="2027-01-15T08:05:00Z",
    )
    asked = typed_data(facts)
    signable = encode_typed_data(
        full_message={**asked, "domain": {**asked["domain"], "chainId": int(asked["domain"]["chainId"])}}
    )
    signature = "0x" + bytes(Account.sign_message(signable, ALICE.key).signature).hex()
    assert recover_from_hash(hash_typed_data(facts), signature) == ALICE.address


@attack("B5")
def test_the_type_names_nothing_that_moves_or_permits() -> None:
    assert PRIMARY_TYPE == "WalletProof"
    assert not {"spender", "value", "amount", "deadline", "to", "owner"} & set(FIELDS)
