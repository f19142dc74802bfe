"""Bytes of accounts, as their programs lay them out (little-endian; Borsh where Metaplex wrote them).

What cannot be read is None: accounts hold what anybody wrote, and a broken one is no fault of the node that tells it.
"""

from __future__ import annotations

import struct
from typing import Literal

import attrs

ACCOUNT_BYTES = 109
"""Of a token account, as far as it is read: up to its state."""
MINT_BYTES, MULTISIG_BYTES = 82, 355
_STATE_AT, _UNINITIALISED = 108, 0
_MINT_ACCOUNT_TYPE_AT, _MINT_ACCOUNT_TYPE = 165, 1  # Token-2022 alone: behind the length of a token account
KEY_BYTES = 32
MAX_TEXT_BYTES = 4096
METADATA_V1, CORE_ASSET_V1, CORE_COLLECTION_V1 = 4, 1, 5
_OF_COLLECTION = 2


class _Broken(Exception):
    """It ends early, or says what its layout does not know."""


@attrs.frozen
class TokenAccount:
    """`amount` in base units. A frozen account holds what it holds (programmable NFTs always are)."""

    mint: bytes
    owner: bytes
    amount: int


@attrs.frozen
class Mint:
    supply: int
    decimals: int


@attrs.frozen(kw_only=True)
class Metadata:
    """What Token Metadata says of a mint.

    Args:
        standard: the program's number for it; None in accounts older than that field.
        collection: only one that its authority has verified: anybody may write any other.
    """

    mint: bytes
    standard: int | None
    collection: bytes | None


@attrs.frozen
class CoreAsset:
    """`collection` only where that is who may change it: then the collection's authority signed."""

    owner: bytes
    collection: bytes | None


def token_account(data: bytes) -> TokenAccount | None:
    if len(data) < ACCOUNT_BYTES or data[_STATE_AT] == _UNINITIALISED:
        return None
    return TokenAccount(data[:32], data[32:64], int.from_bytes(data[64:72], "little"))


def mint(data: bytes) -> Mint | None:
    if len(data) == MULTISIG_BYTES:  # it has no account type, and anything may stand there
        return None
    account_type = data[_MINT_ACCOUNT_TYPE_AT : _MINT_ACCOUNT_TYPE_AT + 1]
    if len(data) != MINT_BYTES and account_type != bytes((_MINT_ACCOUNT_TYPE,)):
        return None
    return Mint(int.from_bytes(data[36:44], "little"), data[44]) if data[45] == 1 else None


def metadata(data: bytes) -> Metadata | None:
    reader = _Reader(data)
    try:
        if reader.number("B") != METADATA_V1:
            return None
        reader.key()  # who may change it
        mint_key = reader.key()
        for _ in ("name", "symbol", "URI"):
            reader.text()
        reader.number("H")  # fee
        if reader.number("?"):
            for _ in range(reader.number("I")):
                reader.take(KEY_BYTES + 2)
        reader.take(2)  # primary sale, mutable
        if reader.number("?"):
            reader.take(1)  # nonce of the edition
    except _Broken:
        return None
    try:
        standard = reader.number("B") if reader.number("?") else None
        is_verified, collection = _collection(reader)
        if reader.number("?"):
            reader.take(17)  # uses
    except _Broken:  # as the program itself takes old accounts that end in something else
        return Metadata(mint=mint_key, standard=None, collection=None)
    return Metadata(
        mint=mint_key,
        standard=standard,
        collection=collection if is_verified else None,
    )


def core_asset(data: bytes) -> CoreAsset | None:
    reader = _Reader(data)
    try:
        if reader.number("B") != CORE_ASSET_V1:
            return None
        owner, authority = reader.key(), reader.number("B")
        return CoreAsset(owner, reader.key() if authority == _OF_COLLECTION else None)
    except _Broken:
        return None


def core_kind(data: bytes) -> Literal["asset", "collection"] | None:
    first = data[0] if data else None
    return "asset" if first == CORE_ASSET_V1 else "collection" if first == CORE_COLLECTION_V1 else None


def _collection(reader: _Reader) -> tuple[bool, bytes | None]:
    if not reader.number("?"):
        return False, None
    is_verified = reader.number("?")
    return bool(is_verified), reader.key()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise _Broken
        self._at += count
        return found

    def number(self, form: Literal["B", "H", "I", "?"]) -> int:
        """`?`: a byte that is 0 or 1."""
        raw = self.take(struct.calcsize(f"<{form}"))
        if form == "?" and raw[0] > 1:
            raise _Broken
        found: int = struct.unpack(f"<{form}", raw)[0]
        return int(found)

    def key(self) -> bytes:
        return self.take(KEY_BYTES)

    def text(self) -> bytes:
        count = self.number("I")
        if count > MAX_TEXT_BYTES:
            raise _Broken
        return self.take(count)
