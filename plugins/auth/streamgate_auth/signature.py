"""Who signed: accounts recovered from their secp256k1 signature."""

from __future__ import annotations

import re

from streamgate.sdk.evm import ZERO_ADDRESS, Address, keccak256, to_checksum

# secp256k1's group order (SEC 2, section 2.4.1).
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_HALF_ORDER = _ORDER // 2
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_RECOVERY_ID = {0: 0, 1: 1, 27: 0, 28: 1}


class BadSignature(ValueError):
    """The signature is malformed, or names nobody. Its text never holds the signature."""


def parse_signature(text: str) -> bytes:
    """65 bytes, r ‖ s ‖ recovery id (0 or 1), from `0x` and 130 hex digits.

    Refuses what has a twin: s in the upper half (EIP-2), and any v but 0, 1, 27, 28.
    """
    if not _SIGNATURE.fullmatch(text):
        raise BadSignature("a signature is 0x and 130 hexadecimal digits")
    raw = bytes.fromhex(text[2:])
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
    if not 0 < r < _ORDER or not 0 < s < _ORDER:
        raise BadSignature("r or s is out of range")
    if s > _HALF_ORDER:
        raise BadSignature("s is in the upper half of the range; a malleable signature is not accepted")
    recovery_id = _RECOVERY_ID.get(raw[64])
    if recovery_id is None:
        raise BadSignature("v must be 0, 1, 27 or 28")
    return raw[:64] + bytes([recovery_id])


def hash_personal_message(message: bytes) -> bytes:
    """EIP-191 version 0x45: what `personal_sign` signs."""
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def recover_signer(message: bytes, signature: str) -> Address:
    """The account whose key signed exactly these bytes as a personal message.

    Raises:
        BadSignature: malformed, malleable, or not a point of the curve.
    """
    return recover_from_hash(hash_personal_message(message), signature)


def recover_from_hash(digest: bytes, signature: str) -> Address:
    """The account whose key signed these 32 bytes. Raises as `recover_signer`."""
    from coincurve import PublicKey

    raw = parse_signature(signature)
    try:
        key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except Exception as fault:  # coincurve raises bare Exception and ValueError alike
        raise BadSignature("no key could have made this signature") from fault
    address = to_checksum("0x" + keccak256(key.format(compressed=False)[1:])[12:].hex())
    if address == ZERO_ADDRESS:
        raise BadSignature("the signer is the zero address")
    return address
