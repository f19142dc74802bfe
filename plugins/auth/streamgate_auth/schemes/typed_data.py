"""EIP-712 for one fixed type: what the wallet shows, and the hash it signs.

    keccak256(0x1901 ‖ hashStruct(domain) ‖ hashStruct(message))

Source: https://eips.ethereum.org/EIPS/eip-712 (definition of hashStruct, encodeType, encodeData).
"""

from __future__ import annotations

from typing import Any

from streamgate.contracts.hooks import SigningFacts
from streamgate.sdk.evm import ChainId, chain_number, keccak256

NAME, VERSION = "StreamGate", "1"
PRIMARY_TYPE = "WalletProof"
# Not `address` for the account: its text says which chain, too. Never a type that moves or permits anything.
FIELDS = ("statement", "origin", "account", "nonce", "issuedAt", "expiresAt")
_DOMAIN = (("name", "string"), ("version", "string"), ("chainId", "uint256"))
_MAX_SAFE = (1 << 53) - 1  # larger numbers do not survive JavaScript


def _message(facts: SigningFacts) -> dict[str, str]:
    return {
        "statement": facts.statement,
        "origin": facts.origin,
        "account": f"{facts.chain}:{facts.address}",
        "nonce": facts.nonce,
        "issuedAt": facts.issued_at,
        "expiresAt": facts.expires_at,
    }


def typed_data(facts: SigningFacts) -> dict[str, Any]:
    """The JSON for `eth_signTypedData_v4`. `chainId` is a decimal string where it is too large for a double."""
    number = chain_number(ChainId(facts.chain))
    return {
        "types": {
            "EIP712Domain": [{"name": name, "type": kind} for name, kind in _DOMAIN],
            PRIMARY_TYPE: [{"name": name, "type": "string"} for name in FIELDS],
        },
        "primaryType": PRIMARY_TYPE,
        "domain": {"name": NAME, "version": VERSION, "chainId": number if number <= _MAX_SAFE else str(number)},
        "message": _message(facts),
    }


def hash_typed_data(facts: SigningFacts) -> bytes:
    """The 32 bytes that the wallet signs for these facts."""
    number = chain_number(ChainId(facts.chain))
    domain_type = "EIP712Domain(" + ",".join(f"{kind} {name}" for name, kind in _DOMAIN) + ")"
    domain = _hash(domain_type, _text(NAME), _text(VERSION), number.to_bytes(32, "big"))
    message = _message(facts)
    message_type = f"{PRIMARY_TYPE}(" + ",".join(f"string {name}" for name in FIELDS) + ")"
    return keccak256(b"\x19\x01" + domain + _hash(message_type, *(_text(message[name]) for name in FIELDS)))


def _text(value: str) -> bytes:
    """A `string` is encoded as the hash of its bytes."""
    return keccak256(value.encode())


def _hash(type_text: str, *words: bytes) -> bytes:
    return keccak256(_text(type_text) + b"".join(words))
