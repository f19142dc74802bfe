"""The requirement kind `core`: a wallet holds Metaplex Core assets of a collection.

An asset is of a collection when the collection is who may change it, which only the collection's authority can bring
about. The endpoint has to search programs' accounts (`getProgramAccounts`), which not every one does.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.gate.nodes import BRIEF
from streamgate_auth.solana import layouts
from streamgate_auth.solana.assets import CoreAssets
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.counting import Count, Question, read_each_wallet, resting_on
from streamgate_auth.solana.making import accounts_soon, make_kind, unchecked
from streamgate_auth.solana.params import (
    Finality,
    account_field,
    amount_field,
    chain_field,
    max_field,
    require_order,
    so_many,
)
from streamgate_auth.solana.programs import CORE
from streamgate_auth.solana.reads import Account, Held, Unread


@attrs.frozen(kw_only=True)
class Core:
    """Parameters. From `min` to `max` assets of `collection`, in one wallet."""

    chain: str = chain_field()
    collection: str = account_field()
    min: str = amount_field()
    max: str | None = max_field()
    finality: Finality | None = attrs.field(default=None, metadata=BRIEF)

    def __attrs_post_init__(self) -> None:
        require_order(self)

    @property
    def contract(self) -> str:
        return self.collection


@attrs.frozen(eq=False)
class CoreReader:
    """Reads the kind by the clusters it is given."""

    chains: SolanaChains

    def kind(self) -> RequirementKind:
        return make_kind(
            self.chains,
            name="core",
            summary="Holds Metaplex Core assets of a collection on Solana.",
            params=Core,
            describe=describe,
            read=self.read,
            warn=self.warn,
            satisfy=lambda params: f"have {_so_many(params)} of the collection {params.collection}",
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Core = leaf.params
        least = int(params.min)
        return await read_each_wallet(self.chains, leaf, lambda question: count(question, params.collection, least))

    async def warn(self, params: Core) -> Sequence[str]:
        chain = self.chains.get(parse_solana_chain(params.chain))
        if chain is None:
            return ()
        told = await accounts_soon(chain, params.collection)
        if isinstance(told, Unread):
            return unchecked(f"{params.collection} is a Core collection", told)
        if not is_collection(told.value[0]):
            return (f"{params.collection} is no Core collection on {chain.id}",)
        return ()


async def count(question: Question, collection: str, least: int) -> Count:
    """`least`: so many of them are named."""
    reads = [CoreAssets(question.wallet, collection)]
    (told,) = await question.chain.read(reads, commitment=question.commitment, min_slot=question.min_slot)
    found: tuple[str, ...] = () if isinstance(told, Unread) else told.value
    tokens = tuple(f"{question.chain.id}/{collection}/{asset}" for asset in found[:least])
    accounts = (Held(asset, collection, 1) for asset in found[:least])
    return resting_on([told], len(found), tokens=tokens, accounts=accounts)


def describe(params: Core) -> str:
    return f"holds {_so_many(params)} of the collection {params.collection} on {params.chain}"


def _so_many(params: Core) -> str:
    return so_many(params, "a Core asset", "Core assets")


def is_collection(account: Account | None) -> bool:
    return account is not None and account.program == CORE and layouts.core_kind(account.data) == "collection"
