"""Wallets as people name them when they take playback back, and as they are compared."""

from __future__ import annotations

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.sdk.evm import parse_account
from streamgate.sdk.solana import parse_solana_address, parse_solana_chain

_SOLANA = "solana:"


def parse_wallet(text: str) -> str:
    """An address, or a CAIP-10 account, in its one form: checksummed (EVM) or base58 (Solana). The chain is left out:
    whoever has the wallet is meant, on whichever chain.

    Raises:
        AddressInvalid, ChainUnknown: 422.
    """
    chain, _, address = text.rpartition(":")
    if address[:2].lower() == "0x":
        return parse_account(text)[1]
    if chain and not chain.startswith(_SOLANA):
        raise ChainUnknown(f"{chain[:64]!r} is no chain of this address: write solana:mainnet and its base58")
    try:
        if chain:
            parse_solana_chain(chain)
        return parse_solana_address(address)
    except AddressInvalid as fault:
        forms = "0x and 40 hexadecimal digits, or base58 of 32 bytes"
        raise AddressInvalid(f"{address[:64]!r} is not the address of a wallet: write {forms}") from fault


def comparable(address: str) -> str:
    """An address as it is compared: hexadecimal ones are written in several ways, and an account names its chain."""
    plain = address.rpartition(":")[2]
    return plain.lower() if plain[:2].lower() == "0x" else plain
