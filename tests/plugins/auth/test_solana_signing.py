"""Solana: addresses, signatures that only strict verification refuses, and the text that wallets write themselves."""

from __future__ import annotations

import base64

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from streamgate.contracts.auth import AddressInvalid, ChainUnknown, MessageMismatch, SignatureInvalid
from streamgate.contracts.hooks import SigningFacts
from streamgate.sdk.solana import decode_base58, parse_solana_address, parse_solana_chain
from streamgate.testing.attacks import attack
from streamgate_auth.accounts import parse_any_account
from streamgate_auth.schemes.siws import check_siws_text, siws_text
from streamgate_auth.schemes.solana import Siws, SolanaMessage, parse_signature
from tests.plugins.auth.people import SolanaWallet

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
ALICE = SolanaWallet.named("alice")
FACTS = SigningFacts(
    address=ALICE.address,
    chain="solana:mainnet",
    origin="https://video.example",
    domain="video.example",
    statement="Sign in to StreamGate. This costs nothing and moves nothing.",
    nonce="n0nce0000",
    issued_at="2027-01-15T08:00:00Z",
    expires_at="2027-01-15T08:05:00Z",
)
ISSUED = siws_text(FACTS)


@given(st.binary(min_size=32, max_size=32))
def test_an_address_is_32_bytes_as_others_read_them(raw: bytes) -> None:
    text = str(Pubkey(raw))
    assert decode_base58(text, length_bytes=32) == raw
    assert parse_solana_address(text) == text
    assert parse_any_account(f"solana:devnet:{text}").chain == "solana:devnet"


@pytest.mark.parametrize(
    "text", ["", "1" * 31, "1" * 33, "0" * 32, "l" * 44, "z" * 44, "é" * 32, ALICE.address + " ", "1" * 100_000]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        parse_solana_address(text)


def test_a_chain_goes_by_its_name_or_its_genesis_hash() -> None:
    assert parse_solana_chain("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp") == "solana:mainnet"
    assert parse_solana_chain("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1") == "solana:devnet"
    for text in ("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvd", "solana:", "solana:mainnet-beta"):
        with pytest.raises(ChainUnknown):
            parse_solana_chain(text)
    with pytest.raises(ChainUnknown):
        parse_any_account(f"eip155:1:{ALICE.address}")


def test_a_signature_is_64_bytes_of_base58_or_base64() -> None:
    signature = ALICE.sign("hello")
    raw = decode_base58(signature, length_bytes=64)
    assert parse_signature(signature) == parse_signature(base64.b64encode(raw).decode()) == raw
    for text in (signature[:-3], base64.b64encode(raw[:-1]).decode(), base64.b64encode(raw).decode()[:-2], "0x00"):
        with pytest.raises(SignatureInvalid):
            parse_signature(text)


@attack("B8")
async def test_a_transaction_is_no_signature_although_its_memo_is_the_message(http: httpx.AsyncClient) -> None:
    """What wallets made for devices that sign transactions alone."""
    payer = Keypair()
    asked = (await http.post("/api/v1/auth/challenge", json={"address": str(payer.pubkey())})).json()
    memo = Instruction(Pubkey.from_string(MEMO_PROGRAM), asked["message"].encode(), [])
    transaction = Transaction.new_signed_with_payer([memo], payer.pubkey(), [payer], Hash.default())
    for signature in (base64.b64encode(bytes(transaction)).decode(), str(transaction.signatures[0])):
        body = {"challenge_id": asked["challenge_id"], "signature": signature}
        answer = await http.post("/api/v1/auth/verify-signature", json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth.signature_invalid")
        assert ("memo" in answer.json()["detail"]) == (len(signature) > 100)


async def test_nobody_signs_for_an_address_of_small_order() -> None:
    """With the system program's address as key, OpenSSL takes R = identity, s = 0 for one text in four or so."""
    signature = base64.b64encode(bytes([1]) + bytes(63)).decode()
    for scheme in (SolanaMessage(), Siws()):
        for number in range(40):
            facts = SigningFacts(
                address="1" * 32,
                chain=FACTS.chain,
                origin=FACTS.origin,
                domain=FACTS.domain,
                statement=FACTS.statement,
                nonce=f"n0nce{number:04d}",
                issued_at=FACTS.issued_at,
                expires_at=FACTS.expires_at,
            )
            with pytest.raises(SignatureInvalid):
                await scheme.verify(facts, signature, None)


# --- the text a wallet writes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2027-01-15T08:00:00Z", "2027-01-15T08:00:00.000Z"),
        ("URI: https://video.example\n", ""),
        ("URI: https://video.example", "URI: https://video.example/sign-in"),
        ("Version: 1\n", ""),
        ("Chain ID: mainnet\n", ""),
        ("Chain ID: mainnet", "Chain ID: solana:mainnet"),
        ("Chain ID: mainnet", "Chain ID: solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
        ("\nExpiration Time: 2027-01-15T08:05:00Z", ""),
    ],
)
async def test_a_wallets_own_spelling_is_accepted(old: str, new: str) -> None:
    assert old in ISSUED
    text = ISSUED.replace(old, new, 1)
    check_siws_text(text, FACTS)
    await Siws().verify(FACTS, ALICE.sign(text), text)
    with pytest.raises(SignatureInvalid):  # its exact bytes are verified
        await Siws().verify(FACTS, ALICE.sign(ISSUED), text)


@attack("B2", "B3")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("video.example wants", "evil.example wants"),
        ("video.example wants", "https://video.example wants"),
        (ALICE.address, SolanaWallet.named("mallory").address),
        (ALICE.address, "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"),
        ("Solana account", "Ethereum account"),
        (FACTS.statement, "Free tokens."),
        (f"\n{FACTS.statement}\n", ""),
        (FACTS.statement, f"{FACTS.statement}\nNonce: n0nce0000"),
        ("URI: https://video.example", "URI: https://evil.example"),
        ("URI: https://video.example", "URI: not a uri"),
        ("Version: 1", "Version: 2"),
        ("Chain ID: mainnet", "Chain ID: devnet"),
        ("Chain ID: mainnet", "Chain ID: "),
        ("Nonce: n0nce0000", "Nonce: n0nce0001"),
        ("Nonce: n0nce0000\n", ""),
        ("Nonce: n0nce0000", "Nonce: n0nce0000\nNonce: n0nce0000"),
        ("Issued At: 2027-01-15T08:00:00Z", "Issued At: 2027-01-15T08:00:01Z"),
        ("Issued At: 2027-01-15T08:00:00Z", "Issued At: 2027-01-15T08:00:00"),
        ("Issued At: 2027-01-15T08:00:00Z", "Issued At: now"),
        ("\nIssued At: 2027-01-15T08:00:00Z", ""),
        ("08:05:00Z", "09:05:00Z"),
        ("08:05:00Z", "08:05:00Z\nNot Before: 2027-01-15T08:00:00Z"),
        ("08:05:00Z", "08:05:00Z\nRequest ID: 7"),
        ("08:05:00Z", "08:05:00Z\nResources:\n- https://evil.example"),
        ("08:05:00Z", "08:05:00Z\n"),
        ("\n", "\r\n"),
    ],
)
def test_whatever_else_differs_is_refused(old: str, new: str) -> None:
    assert old in ISSUED
    with pytest.raises(MessageMismatch):
        check_siws_text(ISSUED.replace(old, new, 1), FACTS)


def test_a_huge_text_is_refused() -> None:
    with pytest.raises(MessageMismatch):
        check_siws_text(ISSUED + "x" * 10_000, FACTS)
