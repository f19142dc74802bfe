"""HLS's AES-128 (RFC 8216 section 4.3.2.4): a whole segment, AES in CBC mode, padded by PKCS #7."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CBC

BLOCK_BYTES = 16


def encrypt(key: bytes, iv: bytes, clear: bytes) -> bytes:
    encryptor = Cipher(AES128(key), CBC(iv)).encryptor()
    padding = BLOCK_BYTES - len(clear) % BLOCK_BYTES
    last = len(clear) // BLOCK_BYTES * BLOCK_BYTES
    rest = clear[last:] + bytes((padding,)) * padding
    return encryptor.update(memoryview(clear)[:last]) + encryptor.update(rest) + encryptor.finalize()
