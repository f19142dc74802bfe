"""The requirement kind `compressed`: a wallet holds compressed NFTs of a verified collection, or of a tree.

The chain keeps a hash of them alone; who holds what is told by an index (the Digital Asset Standard API), which some
endpoints offer. It is believed as any endpoint is: configure a quorum where that matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.solana import parse_solana_chain
from streamgate_auth.gate.nodes import BRIEF
from streamgate_auth.solana.assets import PAGE_ASSETS, Asset, CompressedAssets
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.counting import Count, Question, Range, read_each_wallet, resting_on
from streamgate_auth.solana.making import accounts_soon, make_kind, unchecked
from streamgate_auth.solana.params import (
    Finality,
    amount_field,
    chain_field,
    is_account,
    max_field,
    require_cluster,
    require_order,
    so_many,
)
from streamgate_auth.solana.programs import TREES
from streamgate_auth.solana.reads import Told, Unread

MAX_PAGES = 10
MAX_ASSETS = MAX_PAGES * PAGE_ASSETS
NO_FINALITY = "an index of assets knows no finality"


@attrs.frozen(kw_only=True)
class Compressed:
    """Parameters. From `min` to `max` of a verified `collection`, or of a `tree`, in one wallet."""

    chain: str = chain_field()
    collection: str | None = attrs.field(default=None, validator=is_account, metadata=BRIEF)
    tree: str | None = attrs.field(default=None, validator=is_account, metadata=BRIEF)
    min: str = amount_field(MAX_ASSETS)
    max: str | None = max_field(MAX_ASSETS)

    def __attrs_post_init__(self) -> None:
        require_order(self)
        if (self.collection is None) == (self.tree is None):
            raise ValueError("must have either collection or tree")

    @property
    def contract(self) -> str:
        return self.collection or self.tree or ""

    @property
    def finality(self) -> Finality | None:
        """An index knows none; as the chain is configured."""
        return None


@attrs.frozen(eq=False)
class CompressedReader:
    """Reads the kind by the clusters it is given."""

    chains: SolanaChains

    def kind(self) -> RequirementKind:
        return make_kind(
            self.chains,
            name="compressed",
            summary="Holds compressed NFTs of a verified collection or of a tree on Solana, by an index of assets.",
            params=Compressed,
            describe=describe,
            read=self.read,
            check=self._check,
            warn=self.warn,
            satisfy=lambda params: f"have {_so_many(params)} of {params.contract}",
            link=self._link,
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Compressed = leaf.params
        return await read_each_wallet(self.chains, leaf, lambda question: count(question, params))

    async def warn(self, params: Compressed) -> Sequence[str]:
        """Of a tree alone: what is a collection here depends on how its NFTs were made."""
        chain = self.chains.get(parse_solana_chain(params.chain))
        if chain is None or params.tree is None:
            return ()
        told = await accounts_soon(chain, params.tree)
        if isinstance(told, Unread):
            return unchecked(f"{params.tree} is a tree of compressed NFTs", told)
        if told.value[0] is None or told.value[0].program not in TREES:
            return (f"{params.tree} is no tree of compressed NFTs on {chain.id}",)
        return ()

    async def _check(self, params: Compressed) -> None:
        await require_cluster(self.chains, params.chain)
        chain = self.chains.get(parse_solana_chain(params.chain))
        if chain is not None and chain.finality == "finalized":
            raise ValueError(f"{chain.id} is configured to be read at finalized, and {NO_FINALITY}")

    def _link(self, params: Compressed) -> str:
        chain = self.chains.get(parse_solana_chain(params.chain))
        return "" if chain is None or params.collection is None else chain.facts.marketplace_url(params.collection)


def describe(params: Compressed) -> str:
    what = f"the tree {params.tree}" if params.tree is not None else f"the verified collection {params.collection}"
    return f"holds {_so_many(params)} of {what} on {params.chain}"


def _so_many(params: Compressed) -> str:
    return so_many(params, "a compressed NFT", "compressed NFTs")


async def count(question: Question, params: Compressed) -> Count:
    """Page by page, until it is enough."""
    if question.commitment == "finalized":
        return Count(held=0, missing=NO_FINALITY, nodes=0)
    wanted, rests_on, found, missing = Range.of(params), list[Told | Unread](), dict[str, None](), ""
    for page in range(1, MAX_PAGES + 1):
        read = CompressedAssets(question.wallet, params.collection, page)
        (told,) = await question.chain.read([read], min_slot=question.min_slot)
        rests_on.append(told)
        if isinstance(told, Unread):
            break
        for asset in told.value.assets:
            match _is_member(asset, params):
                case True:
                    found[asset.id] = None
                case None:
                    missing = "the index does not say whether the collection is verified"
        if told.value.is_last or len(found) >= wanted.enough:
            break
    else:
        missing = f"the index lists more than {MAX_ASSETS} assets of the wallet"
    tokens = tuple(f"{question.chain.id}/{params.contract}/{asset}" for asset in list(found)[: wanted.least])
    return resting_on(rests_on, len(found), tokens=tokens, missing=missing)


def _is_member(asset: Asset, params: Compressed) -> bool | None:
    """None: the index names the collection, and does not say whether that is verified."""
    if params.tree is not None:
        return asset.tree == params.tree
    said = [is_verified for collection, is_verified in asset.collections if collection == params.collection]
    return True if True in said else None if None in said else False
