"""What can be asked of endpoints that search programs' accounts, and of those that keep an index of digital assets."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar

import attrs

from streamgate_auth.rpc.wire import Answer, EndpointFault, Question
from streamgate_auth.solana import layouts
from streamgate_auth.solana.programs import CORE, to_bytes
from streamgate_auth.solana.reads import Commitment, Lane, context, keyed_accounts, options, parse_slot

PAGE_ASSETS = 100
_ASSET_WEIGHT_BYTES = 3_000
_OWNER_AT, _AUTHORITY_AT, _COLLECTION_AT, _CORE_PIECE_BYTES = 1, 33, 34, 66
_BYTE_1, _BYTE_2 = "2", "3"  # base58


@attrs.frozen
class CoreAssets:
    """Core assets of a wallet in a collection, by getProgramAccounts: their addresses, `tuple[str, …]`."""

    owner: str
    collection: str
    lane: ClassVar[Lane] = "programs"
    is_bounded: ClassVar[bool] = False
    weight_bytes: ClassVar[int] = 10_000

    def question(self, commitment: Commitment, min_slot: int) -> Question:
        wanted = (
            (0, _BYTE_1),  # an asset
            (_OWNER_AT, self.owner),
            (_AUTHORITY_AT, _BYTE_2),  # whoever may change it is a collection
            (_COLLECTION_AT, self.collection),
        )
        how = options(
            commitment,
            min_slot,
            withContext=True,
            dataSlice={"offset": 0, "length": _CORE_PIECE_BYTES},
            filters=[{"memcmp": {"offset": offset, "bytes": raw}} for offset, raw in wanted],
        )
        return Question("getProgramAccounts", (CORE, how))

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        slot, value = context(answer)
        wanted = layouts.CoreAsset(to_bytes(self.owner), to_bytes(self.collection))
        found = keyed_accounts(value)
        for each in found.values():
            if each.program != CORE or layouts.core_asset(each.data) != wanted:
                raise EndpointFault("it tells assets of others")
        return slot, tuple(sorted(found))


@attrs.frozen(kw_only=True)
class Asset:
    """One that the index knows. `is_verified` None: it does not say."""

    id: str
    tree: str
    collections: tuple[tuple[str, bool | None], ...]


@attrs.frozen(kw_only=True)
class Page:
    """`assets`: compressed ones of this wallet that are not burnt. `is_last`: there are no more."""

    assets: tuple[Asset, ...]
    is_last: bool


@attrs.frozen
class CompressedAssets:
    """A page of a wallet's compressed assets, in the order they were made; of a collection alone, where one is named.

    The index tells no commitment; some indexes tell how far they are (`last_indexed_slot`).
    """

    owner: str
    collection: str | None
    page: int
    lane: ClassVar[Lane] = "assets"
    is_bounded: ClassVar[bool] = False
    weight_bytes: ClassVar[int] = PAGE_ASSETS * _ASSET_WEIGHT_BYTES

    def question(self, commitment: Commitment, min_slot: int) -> Question:
        wanted: dict[str, Any] = {
            "ownerAddress": self.owner,
            "page": self.page,
            "limit": PAGE_ASSETS,
            "sortBy": {"sortBy": "created", "sortDirection": "asc"},
            "options": {"showUnverifiedCollections": True},  # so that it says of each whether it is verified
        }
        if self.collection is None:
            return Question("getAssetsByOwner", wanted)
        grouping = {"grouping": ["collection", self.collection], "compressed": True, "burnt": False}
        return Question("searchAssets", {**wanted, **grouping})

    def parse(self, answer: Answer) -> tuple[int | None, Hashable]:
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) > PAGE_ASSETS:
            raise EndpointFault("the answer is no page of assets")
        slot = answer.get("last_indexed_slot")
        assets = [found for item in items if (found := _asset(item, self.owner)) is not None]
        if len({asset.id for asset in assets}) != len(assets):
            raise EndpointFault("it tells an asset twice")
        return (
            None if slot is None else parse_slot(slot),
            Page(assets=tuple(assets), is_last=len(items) < PAGE_ASSETS),
        )


def _asset(item: Any, owner: str) -> Asset | None:  # Any: a JSON value
    """None: it is burnt, not compressed, or another's. Raises EndpointFault: it is of no form of the standard's."""
    match item:
        case {
            "id": str(name),
            "burnt": bool(is_burnt),
            "ownership": {"owner": str(holder)},
            "compression": {"compressed": bool(is_compressed), "tree": str(tree)},
            "grouping": list(groups),
        }:
            pass
        case _:
            raise EndpointFault("an asset in the answer is of no form of the standard's")
    if is_burnt or not is_compressed or holder != owner:
        return None
    return Asset(id=name, tree=tree, collections=tuple(sorted(filter(None, map(_collection, groups)), key=repr)))


def _collection(group: Any) -> tuple[str, bool | None] | None:  # Any: a JSON value
    match group:
        case {"group_key": "collection", "group_value": str(value)}:
            said = group.get("verified")
            return value, said if isinstance(said, bool) else None
    return None
