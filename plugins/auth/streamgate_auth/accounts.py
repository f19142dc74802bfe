"""Addresses of either kind of chain, as people write them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from streamgate.contracts.auth import ChainUnknown
from streamgate.sdk.evm import Address, parse_address, parse_chain
from streamgate.sdk.solana import parse_solana_address, parse_solana_chain

EVM, SOLANA = "eip155", "solana"


@attrs.frozen(kw_only=True)
class Account:
    """`address` in its one form; `chain` where a CAIP-10 account named it."""

    namespace: str
    address: Address
    chain: str | None = None


def namespace_of(address: str) -> str:
    """Of an address in its one form."""
    return EVM if address.startswith("0x") else SOLANA


def wallet_name(address: Address, chain: str) -> Address:
    """What a linked wallet goes by where gates and roles ask: a key is the same on every chain of its kind, a contract
    (which has a `chain`) is itself on that one alone."""
    return Address(f"{chain}:{address}") if chain else address


def seen_from(chain: str, names: Iterable[str]) -> tuple[Address, ...]:
    """What these wallets (`wallet_name`) are on a chain: its own contracts have a bare address there, as keys have
    everywhere; contracts of other chains keep their whole name, which is no address of anything."""
    return tuple(Address(name.removeprefix(f"{chain}:")) for name in names)


def parse_any_account(text: str) -> Account:
    """An address, or a CAIP-10 account (`eip155:1:0x…`, `solana:mainnet:…`).

    Raises:
        AddressInvalid, ChainUnknown: 422.
    """
    named, _, address = text.rpartition(":")
    chain = parse_any_chain(named) if named else None
    if address[:2] in ("0x", "0X"):
        account = Account(namespace=EVM, address=parse_address(address), chain=chain)
    else:
        account = Account(namespace=SOLANA, address=Address(parse_solana_address(address)), chain=chain)
    if chain is not None and not chain.startswith(f"{account.namespace}:"):
        raise ChainUnknown(f"the address is not one of {chain}")
    return account


def parse_any_address(text: str) -> Address:
    """In its one form; an account's chain is left out."""
    return parse_any_account(text).address


def parse_any_chain(text: str) -> str:
    """CAIP-2 in its one form.

    Raises:
        ChainUnknown: 422.
    """
    return parse_solana_chain(text) if text.startswith(f"{SOLANA}:") else parse_chain(text)
