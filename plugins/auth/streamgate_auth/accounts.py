"""Addresses of either kind of chain, as people write them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.sdk.evm import Address, parse_address, parse_chain
from streamgate.sdk.solana import parse_solana_address, parse_solana_chain

EVM, SOLANA = "eip155", "solana"
_NAMES = {EVM: ("EVM", "an EVM"), SOLANA: ("Solana", "a Solana")}
_LIKE_SOLANA = re.compile("[1-9A-HJ-NP-Za-km-z]{32,44}")
_NEITHER = (
    "is neither an EVM address (0x and 40 hex digits) nor a Solana one (base58 of 32 bytes) nor a CAIP-10 account "
    "(eip155:1:0x…, solana:mainnet:…)"
)


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
    is_evm = address[:2] in ("0x", "0X")
    if not (is_evm or _LIKE_SOLANA.fullmatch(address)) or named.partition(":")[0] not in ("", EVM, SOLANA):
        raise AddressInvalid(f"{shown(text)} {_NEITHER}")
    chain = parse_any_chain(named) if named else None
    if is_evm:
        account = Account(namespace=EVM, address=parse_address(address), chain=chain)
    else:
        account = Account(namespace=SOLANA, address=Address(parse_solana_address(address)), chain=chain)
    if chain is not None:
        require_of(chain, account.namespace)
    return account


def require_of(chain: str, namespace: str, remedy: str = "") -> None:
    """Raises ChainUnknown: addresses of the namespace are none on this chain."""
    theirs = chain.partition(":")[0]
    if theirs != namespace:
        raise ChainUnknown(f"{chain} is a chain of {unlike(theirs, namespace)}{remedy}")


def unlike(theirs: str, namespace: str) -> str:
    """What completes "it is for": addresses of one namespace, where one of another was given."""
    return f"{_NAMES.get(theirs, (theirs,))[0]} addresses, and this is {_NAMES[namespace][1]} one"


def shown(text: str) -> str:
    """The beginning of what was given, for the answer that refuses it."""
    return repr(text[:64]) if text else "an empty text"


def parse_any_address(text: str) -> Address:
    """In its one form; an account's chain is left out."""
    return parse_any_account(text).address


def parse_any_chain(text: str) -> str:
    """CAIP-2 in its one form.

    Raises:
        ChainUnknown: 422.
    """
    if text.startswith(f"{SOLANA}:"):
        return parse_solana_chain(text)
    if not text.startswith(f"{EVM}:"):
        raise ChainUnknown(f"{shown(text)} is not a chain: write it as CAIP-2, for instance eip155:1 or solana:mainnet")
    return parse_chain(text)
