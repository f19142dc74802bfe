"""NATS' form of an Ed25519 key: base32 of a prefix, the key and a CRC. The server keeps the public half only.

`SU…` is a user's seed, `U…` its public key (github.com/nats-io/nkeys).
"""

from __future__ import annotations

import base64
import binascii

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SEED = 18 << 3
_USER = 20 << 3
_SEED_BYTES = 32


def encode_seed(private: Ed25519PrivateKey) -> str:
    return _encode(bytes([_SEED | (_USER >> 5), (_USER & 31) << 3]) + private.private_bytes_raw())


def encode_public(private: Ed25519PrivateKey) -> str:
    return _encode(bytes([_USER]) + private.public_key().public_bytes_raw())


def decode_seed(seed: str) -> Ed25519PrivateKey:
    """Raises ValueError: this is no user's seed."""
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except binascii.Error as fault:
        raise ValueError("not a NATS seed") from fault
    body, checksum = raw[:-2], raw[-2:]
    is_user = body[:2] == bytes([_SEED | (_USER >> 5), (_USER & 31) << 3])
    if not is_user or len(body) != 2 + _SEED_BYTES or checksum != _checksum(body):
        raise ValueError("not the seed of a NATS user")
    return Ed25519PrivateKey.from_private_bytes(body[2:])


def _encode(body: bytes) -> str:
    return base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")
