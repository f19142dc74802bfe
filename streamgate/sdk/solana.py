"""Solana addresses and chains: base58 of exactly 32 bytes, CAIP-2 by name or by genesis hash."""

from __future__ import annotations

from streamgate.contracts.auth import AddressInvalid, ChainUnknown

KEY_BYTES = 32
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_MAX_ADDRESS_CHARS = 44

# CAIP-2 names a chain by the first 32 characters of its genesis hash:
# https://namespaces.chainagnostic.org/solana/caip2
_BY_GENESIS = {
    "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp": "solana:mainnet",
    "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1": "solana:devnet",
    "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z": "solana:testnet",
}
CHAINS = tuple(_BY_GENESIS.values())


def decode_base58(text: str, *, length_bytes: int) -> bytes:
    """The bytes of a base58 text, one text for one value.

    Raises:
        ValueError: another character, or another length.
    """
    number = 0
    if len(text) > 2 * length_bytes:  # bounds the arithmetic; base58 takes 1.37 characters a byte
        raise ValueError("too long")
    for character in text:
        value = _VALUES.get(character)
        if value is None:
            raise ValueError("not base58")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(raw) != length_bytes:
        raise ValueError(f"not {length_bytes} bytes")
    return raw


def parse_solana_address(text: str) -> str:
    """An address as wallets show it; base58 has one spelling.

    Raises:
        AddressInvalid: another form.
    """
    try:
        if len(text) > _MAX_ADDRESS_CHARS:
            raise ValueError("too long")
        decode_base58(text, length_bytes=KEY_BYTES)
    except ValueError as fault:
        raise AddressInvalid(f"{text[:64]!r} is not a Solana address: write base58 of 32 bytes") from fault
    return text


def parse_solana_chain(text: str) -> str:
    """`solana:mainnet`, `solana:devnet` or `solana:testnet`, from that or from the genesis-hash form.

    Raises:
        ChainUnknown: another one.
    """
    chain = _BY_GENESIS.get(text, text)
    if chain not in CHAINS:
        raise ChainUnknown(f"{text[:64]!r} is not a Solana chain; use one of {', '.join(CHAINS)}")
    return chain
