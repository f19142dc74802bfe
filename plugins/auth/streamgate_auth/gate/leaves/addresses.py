"""The requirement kind `addresses`: one of the person's wallets is on a list, which stands in the rule or is known by
the root of its Merkle tree."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import attrs
from sqlalchemy.orm import Session

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.errors import FieldError, StreamgateError
from streamgate.sdk.db import Database
from streamgate.web.structure import FieldFaults
from streamgate_auth.accounts import EVM, parse_any_account
from streamgate_auth.gate.leaves.merkle import is_hash
from streamgate_auth.gate.repository_lists import is_known_root, listed_among

ADDRESSES = "addresses"
MAX_INLINE = 1000


def _all_addresses(_: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...] | None) -> None:
    if value is None:
        return
    if not 1 <= len(value) <= MAX_INLINE:
        raise ValueError(f"must hold 1 to {MAX_INLINE} addresses; longer lists go by their Merkle root")
    faults = []
    for index, text in enumerate(value):
        try:
            _entry(text)
        except StreamgateError as fault:
            faults.append(FieldError(f"[{index}]", fault.detail))
    if faults:
        raise FieldFaults(faults)


def _is_root(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and not is_hash(value):
        raise ValueError("must be a Merkle root: 0x and 64 hexadecimal digits")


@attrs.frozen(kw_only=True)
class Addresses:
    """Parameters: either the addresses themselves (EVM or Solana), or the root of their tree (EVM alone). A wallet that
    is a contract is itself on one chain alone, and stands as a CAIP-10 account (`eip155:1:0x…`)."""

    of: tuple[str, ...] | None = attrs.field(default=None, validator=_all_addresses)
    merkle_root: str | None = attrs.field(default=None, validator=_is_root)

    def __attrs_post_init__(self) -> None:
        if (self.of is None) == (self.merkle_root is None):
            raise ValueError("must have either of or merkle_root")

    @cached_property
    def entries(self) -> tuple[str, ...]:
        """In their one form, each once."""
        return tuple(dict.fromkeys(map(_entry, self.of or ())))

    @cached_property
    def known(self) -> frozenset[str]:
        """What the wallets on it may go by: a key by its address alone, a contract by its chain, too."""
        return frozenset((*self.entries, *(entry.rpartition(":")[2] for entry in self.entries)))


@attrs.frozen(eq=False)
class AddressLists:
    """Reads the kind; lists and proofs are in the database."""

    db: Database

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name=ADDRESSES,
            summary=f"Is one of up to {MAX_INLINE} addresses, or below the root of a Merkle tree of them.",
            params=Addresses,
            describe=_describe,
            read=self.read,
            canonical=_canonical,
            warn=self.warn,
            satisfy=_satisfy,
            cost=1,
            is_private=True,
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Addresses = leaf.params
        if params.merkle_root is None:
            return _judge(next((wallet for wallet in leaf.addresses if wallet in params.known), None))
        root = params.merkle_root.lower()
        wallets = [wallet for wallet in leaf.addresses if wallet.startswith("0x")]
        return _judge(await self.db.read(lambda session: listed_among(session, root, wallets)))

    async def warn(self, params: Addresses) -> list[str]:
        if params.merkle_root is None:
            return []
        root = params.merkle_root.lower()

        def is_known(session: Session) -> bool:
            return is_known_root(session, root)

        if await self.db.read(is_known):
            return []
        return ["no list with this Merkle root is stored here: people have to hand in a proof for their wallet"]


def _entry(text: str) -> str:
    """In its one form, with the chain where an EVM account names it. Raises AddressInvalid, ChainUnknown."""
    account = parse_any_account(text)
    named = account.chain is not None and account.namespace == EVM
    return f"{account.chain}:{account.address}" if named else account.address


def _judge(address: str | None) -> Reading:
    if address is None:
        return Reading(outcome="does_not_hold", held_text="no wallet of this account is on the list")
    return Reading(outcome="holds", held_by=address)


def _describe(params: Addresses) -> str:
    if params.merkle_root is not None:
        return f"is on the list with the Merkle root {params.merkle_root.lower()}"
    count = len(params.entries)
    return "is a certain wallet" if count == 1 else f"is on a list of {count} wallets"


def _canonical(params: Addresses) -> Addresses:
    if params.merkle_root is not None:
        return attrs.evolve(params, merkle_root=params.merkle_root.lower())
    return attrs.evolve(params, of=params.entries)


def _satisfy(params: Addresses) -> str:
    if params.merkle_root is None:
        return "ask its owner to put your wallet on the list"
    return "ask its owner to put your wallet on the list, or hand in a Merkle proof for it"
