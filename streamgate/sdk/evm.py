"""EVM addresses and accounts: any case in, checksummed out (EIP-55, CAIP-2, CAIP-10).

Keccak comes from `eth-hash`, which the plugins that know chains bring; it is imported at its first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NewType

from streamgate.contracts.auth import AddressInvalid, ChainUnknown

Address = NewType("Address", str)
"""Checksummed, `0x` and 40 hex digits."""

ChainId = NewType("ChainId", str)
"""CAIP-2: `eip155:1`."""

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_EIP155 = re.compile(r"eip155:(0|[1-9][0-9]{0,18})")
ZERO_ADDRESS = Address("0x" + "0" * 40)


@lru_cache(maxsize=1)
def _keccak() -> Callable[[bytes], bytes]:
    from eth_hash.auto import keccak  # 35 ms at its first import, so not at start

    return keccak


def keccak256(data: bytes) -> bytes:
    """Ethereum's Keccak-256 (not SHA3-256): 32 bytes."""
    return _keccak()(data)


@lru_cache(maxsize=65_536)
def to_checksum(lower_hex: str) -> Address:
    """`0x` and 40 lower-case digits to EIP-55's mixed case."""
    digits = lower_hex[2:]
    nibbles = keccak256(digits.encode()).hex()
    return Address(
        "0x" + "".join(c.upper() if int(n, 16) >= 8 else c for c, n in zip(digits, nibbles[:40], strict=True))
    )


def is_checksummed(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and to_checksum(text.lower()) == text


def parse_address(text: str) -> Address:
    """An address as people paste it: all lower, all upper, or checksummed.

    Raises:
        AddressInvalid: another form, or mixed case whose checksum is wrong (a typing mistake).
    """
    if not _ADDRESS.fullmatch(text):
        raise AddressInvalid(f"{text[:64]!r} is not an address: write 0x and 40 hexadecimal digits")
    digits = text[2:]
    checksummed = to_checksum(text.lower())
    if text != checksummed and digits not in (digits.lower(), digits.upper()):
        raise AddressInvalid(f"{text} has a wrong checksum: one of its characters is mistyped")
    return checksummed


def parse_account(text: str) -> tuple[ChainId | None, Address]:
    """An address, or a CAIP-10 account (`eip155:1:0x…`) with its chain."""
    chain, _, address = text.rpartition(":")
    return (parse_chain(chain) if chain else None), parse_address(address)


def parse_chain(text: str) -> ChainId:
    """A CAIP-2 id of an EVM chain.

    Raises:
        ChainUnknown: another form.
    """
    if not _EIP155.fullmatch(text):
        raise ChainUnknown(f"{text[:64]!r} is not a chain id: write it as CAIP-2, for instance eip155:1")
    return ChainId(text)


def chain_number(chain: ChainId) -> int:
    """The number behind `eip155:`."""
    return int(chain.partition(":")[2])
