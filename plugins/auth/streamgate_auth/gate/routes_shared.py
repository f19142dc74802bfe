"""Over HTTP: collections that share a gate, lists of addresses, proofs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from streamgate.context import Actor
from streamgate.contracts.auth import AddressInvalid
from streamgate.contracts.gate import (
    CollectionInUse,
    CollectionNotFound,
    GateInvalid,
    ListInUse,
    ListNotFound,
    ProofInvalid,
    RootUnknown,
    TooManyHere,
)
from streamgate.errors import Invalid, TooMany, UnsupportedMediaType
from streamgate.web.client import client_address
from streamgate.web.routes import CREATOR, SIGNED_IN, Call, Route, owner
from streamgate.web.structure import structure
from streamgate_auth.gate.collections import Collections
from streamgate_auth.gate.forms import (
    ChangeCollectionBody,
    CollectionAnswer,
    CollectionItem,
    CollectionPath,
    CollectionsListed,
    ListItem,
    ListPath,
    ListsListed,
    MerkleProofAnswer,
    MerkleProofBody,
    NewCollectionBody,
    NewListBody,
)
from streamgate_auth.gate.limit import Tries
from streamgate_auth.gate.lists import Lists
from streamgate_auth.gate.routes import PREFIX, UNREADABLE
from streamgate_auth.gate.text import JSON, media_type, parse_json, read_body

MAX_LIST_BYTES = 8 * 1024 * 1024


class SharedRoutes:
    def __init__(self, collections: Collections, lists: Lists, tries: Tries) -> None:
        self._collections = collections
        self._lists = lists
        self._tries = tries

    def routes(self) -> Sequence[Route]:
        return [*self._collection_routes(), *self._list_routes()]

    def _collection_routes(self) -> Sequence[Route]:
        many, one, owned = f"{PREFIX}/collections", f"{PREFIX}/collections/{{collection_id}}", owner("collection_id")
        return [
            Route(
                "POST",
                many,
                self.create,
                policy=CREATOR,
                body=NewCollectionBody,
                answer=CollectionItem,
                status=201,
                summary="Make a gate that several contents share",
                description='Their gates name it: `{"same_as":{"collection":"g_…"}}`.',
                errors=(GateInvalid, TooManyHere),
            ),
            Route("GET", many, self.listed, policy=CREATOR, answer=CollectionsListed, summary="Your collections"),
            Route(
                "GET",
                one,
                self.get,
                policy=owned,
                query=CollectionPath,
                answer=CollectionAnswer,
                summary="A collection, and the contents whose gates name it",
                errors=(CollectionNotFound,),
            ),
            Route(
                "PUT",
                one,
                self.change,
                policy=owned,
                guard=self._may_change,
                query=CollectionPath,
                body=ChangeCollectionBody,
                answer=CollectionItem,
                summary="Change a collection; each content with it is decided anew",
                errors=(CollectionNotFound, GateInvalid),
            ),
            Route(
                "DELETE",
                one,
                self.delete,
                policy=owned,
                query=CollectionPath,
                summary="Delete a collection that no gate names",
                errors=(CollectionNotFound, CollectionInUse),
            ),
        ]

    def _list_routes(self) -> Sequence[Route]:
        many = f"{PREFIX}/lists"
        return [
            Route(
                "POST",
                many,
                self.store,
                policy=CREATOR,
                raw_body=True,
                accepts=(JSON,),
                raw_schema=NewListBody,
                answer=ListItem,
                status=201,
                timeout_s=120.0,
                summary="Store a list of up to 100,000 EVM addresses",
                description=(
                    '`{"name": …, "addresses": […]}`. Answers the root of its Merkle tree (OpenZeppelin\'s '
                    'StandardMerkleTree of `["address"]`), which rules name it by. The same list again is the same.'
                ),
                errors=(*UNREADABLE, Invalid, TooManyHere),
            ),
            Route("GET", many, self.lists, policy=CREATOR, answer=ListsListed, summary="Your lists of addresses"),
            Route(
                "DELETE",
                f"{many}/{{list_id}}",
                self.forget,
                policy=owner("list_id"),
                query=ListPath,
                summary="Delete a list whose root no gate names",
                errors=(ListNotFound, ListInUse),
            ),
            Route(
                "POST",
                f"{PREFIX}/proofs",
                self.prove,
                policy=SIGNED_IN,
                body=MerkleProofBody,
                answer=MerkleProofAnswer,
                summary="Hand in a Merkle proof that a wallet of yours is on a list",
                errors=(ProofInvalid, AddressInvalid, RootUnknown, Invalid, TooMany),
            ),
        ]

    # --- collections ----------------------------------------------------------------------------

    async def create(self, call: Call[NewCollectionBody, None]) -> CollectionItem:
        return CollectionItem.of(await self._collections.create(call.actor, call.body.name, call.body.gate))

    async def listed(self, call: Call[None, None]) -> CollectionsListed:
        return CollectionsListed(items=tuple(map(CollectionItem.of, await self._collections.listed(call.actor))))

    async def get(self, call: Call[None, CollectionPath]) -> CollectionAnswer:
        return CollectionAnswer.with_users(*await self._collections.get(call.actor, call.query.collection_id))

    async def change(self, call: Call[ChangeCollectionBody, CollectionPath]) -> CollectionItem:
        body = call.body
        return CollectionItem.of(
            await self._collections.change(call.actor, call.query.collection_id, body.name, body.gate)
        )

    async def delete(self, call: Call[None, CollectionPath]) -> None:
        await self._collections.delete(call.actor, call.query.collection_id)

    async def _may_change(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._collections.get(actor, texts["collection_id"])

    # --- lists ----------------------------------------------------------------------------------

    async def store(self, call: Call[None, None]) -> ListItem:
        """A large body is read in a thread, so that nobody else waits for it."""
        if media_type(call.request) != JSON:
            raise UnsupportedMediaType(f"send {JSON}")
        sent = await read_body(call.request, MAX_LIST_BYTES)
        body = await asyncio.to_thread(lambda: structure(NewListBody, parse_json(sent), what="the body"))
        return ListItem.of(await self._lists.create(call.actor, body.name, body.addresses))

    async def lists(self, call: Call[None, None]) -> ListsListed:
        return ListsListed(items=tuple(map(ListItem.of, await self._lists.listed(call.actor))))

    async def forget(self, call: Call[None, ListPath]) -> None:
        await self._lists.delete(call.actor, call.query.list_id)

    async def prove(self, call: Call[MerkleProofBody, None]) -> MerkleProofAnswer:
        self._tries.spend(call.actor.user_id, client_address(call.request.scope))
        body = call.body
        address = await self._lists.prove(call.actor, body.merkle_root, body.proof, body.address)
        return MerkleProofAnswer(merkle_root=body.merkle_root.lower(), address=address)
