"""Contents and their gates under the public paths: metadata and auth do the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import orjson
from starlette.responses import Response

from streamgate.context import Actor
from streamgate.contracts.auth import Auth, GateCheck, GateCheckAnswer, GateQuery, SetGate, StoredGate
from streamgate.contracts.gate import GateInvalid, Rule
from streamgate.contracts.metadata import (
    AccessQuery,
    Content,
    ContentChanges,
    ContentDelete,
    ContentDraft,
    ContentFilter,
    ContentNotFound,
    ContentPage,
    Metadata,
    content_search,
    content_update,
    new_content,
)
from streamgate.errors import Forbidden, StreamgateError
from streamgate.web.routes import CREATOR, PUBLIC, SIGNED_IN, Call, Route, owner
from streamgate.wire import to_plain
from streamgate_api.including import ContentWithParts, Including

PREFIX = "/api/v1/content"


@attrs.frozen(kw_only=True)
class ContentPath:
    content_id: str


@attrs.frozen(kw_only=True)
class GetQuery(ContentPath):
    """`include`: comma-separated, what else to tell of the content."""

    include: str = ""


@attrs.frozen(kw_only=True)
class CreateBody(ContentDraft):
    """`gate` in the JSON of gates; setting one publishes."""

    gate: dict[str, Any] | None = None


@attrs.frozen(kw_only=True)
class CheckBody:
    """`address` left out: the caller's own wallets. Another address: for the owner of the content."""

    address: str | None = None


class ContentRoutes:
    def __init__(self, metadata: Metadata, auth: Auth, including: Including) -> None:
        self._metadata = metadata
        self._auth = auth
        self._including = including

    def routes(self) -> list[Route]:
        one, gate = f"{PREFIX}/{{content_id}}", f"{PREFIX}/{{content_id}}/gate"
        owned = owner("content_id")
        hidden = (ContentNotFound, Forbidden)
        return [
            Route(
                "POST",
                PREFIX,
                self._create,
                policy=CREATOR,
                body=CreateBody,
                answer=Content,
                status=201,
                summary="Create a content",
                description="Private to its owner until a gate is set; `gate` does that at once.",
                errors=(GateInvalid,),
            ),
            Route(
                "GET",
                PREFIX,
                self._list,
                policy=PUBLIC,
                query=ContentFilter,
                answer=ContentPage,
                summary="The catalogue",
                description="Listed and published contents, and one's own.",
            ),
            Route(
                "GET",
                one,
                self._get,
                policy=PUBLIC,
                query=GetQuery,
                answer=ContentWithParts,
                summary="One content",
                description=(
                    "Published contents for everyone who has the id, private ones for their owner. With "
                    "`?include=stream,transcode,gate,stats` also what several services say of it, asked at once: "
                    "what fails is named in `include_errors`, the rest is answered."
                ),
                errors=(ContentNotFound,),
            ),
            Route(
                "PUT",
                one,
                self._update,
                policy=owned,
                guard=self._may_change,
                query=ContentPath,
                body=ContentChanges,
                answer=Content,
                summary="Change a content",
                errors=hidden,
            ),
            Route(
                "DELETE",
                one,
                self._delete,
                policy=owned,
                query=ContentPath,
                status=204,
                summary="Delete a content",
                description="Nothing of it is served from then on. Deleting again is harmless.",
                errors=hidden,
            ),
            Route(
                "GET",
                gate,
                self._get_gate,
                policy=owned,
                guard=self._may_change,
                query=ContentPath,
                answer=StoredGate,
                summary="The gate of a content",
                errors=hidden,
            ),
            Route(
                "PUT",
                gate,
                self._set_gate,
                policy=owned,
                guard=self._may_change,
                query=ContentPath,
                body=dict[str, Any],
                answer=StoredGate,
                summary="Set the gate, and publish",
                description=(
                    'One key a node: `{"any":[{"erc721":{"chain":"eip155:1","contract":"0x…"}}]}`, or `{"public":{}}`.'
                ),
                errors=(*hidden, GateInvalid),
            ),
            Route(
                "DELETE",
                gate,
                self._remove_gate,
                policy=owned,
                guard=self._may_change,
                query=ContentPath,
                status=204,
                summary="Remove the gate: private to its owner again",
                errors=hidden,
            ),
            Route(
                "POST",
                f"{gate}/check",
                self._check_gate,
                policy=SIGNED_IN,
                guard=self._may_see,
                query=ContentPath,
                body=CheckBody,
                answer=GateCheckAnswer,
                summary="Would the gate open?",
                description="Explains for the caller's own wallets, or for any address to the owner. Decides nothing.",
                errors=hidden,
            ),
        ]

    # --- contents -----------------------------------------------------------------------------

    async def _create(self, call: Call[CreateBody, None]) -> Content:
        content = await self._metadata.create(new_content(call.body, call.actor))
        if call.body.gate is None:
            return content
        try:
            await self._store_gate(call, content.content_id, call.body.gate)
        except StreamgateError:
            # A content without the gate it was asked with is not what was asked for.
            await self._metadata.delete(ContentDelete(content_id=content.content_id, actor=call.actor))
            raise
        return await self._access(call.actor, content.content_id, "see")

    async def _list(self, call: Call[None, ContentFilter]) -> ContentPage:
        return await self._metadata.search(content_search(call.query, call.actor))

    async def _get(self, call: Call[None, GetQuery]) -> Response:
        content_id = call.query.content_id
        plain = to_plain(await self._access(call.actor, content_id, "see"))
        wanted = self._including.read(call.query.include)
        if wanted:
            plain |= await self._including.parts(call.request, content_id, wanted)
        return Response(orjson.dumps(plain), media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _update(self, call: Call[ContentChanges, ContentPath]) -> Content:
        return await self._metadata.update(content_update(call.body, call.query.content_id, call.actor))

    async def _delete(self, call: Call[None, ContentPath]) -> None:
        await self._metadata.delete(ContentDelete(content_id=call.query.content_id, actor=call.actor))

    # --- gates --------------------------------------------------------------------------------

    async def _get_gate(self, call: Call[None, ContentPath]) -> StoredGate:
        return await self._auth.get_gate(GateQuery(content_id=call.query.content_id))

    async def _set_gate(self, call: Call[Rule, ContentPath]) -> StoredGate:
        return await self._store_gate(call, call.query.content_id, call.body)

    async def _remove_gate(self, call: Call[None, ContentPath]) -> None:
        await self._store_gate(call, call.query.content_id, None)

    async def _check_gate(self, call: Call[CheckBody, ContentPath]) -> GateCheckAnswer:
        if call.body.address is not None:
            await self._access(call.actor, call.query.content_id, "change")
        asked = GateCheck(content_id=call.query.content_id, actor=call.actor, address=call.body.address)
        return await self._auth.check_gate(asked)

    async def _store_gate(self, call: Call[Any, Any], content_id: str, rule: Rule | None) -> StoredGate:
        return await self._auth.set_gate(SetGate(content_id=content_id, actor=call.actor, gate=rule))

    # --- who may ------------------------------------------------------------------------------

    async def _may_change(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._access(actor, texts["content_id"], "change")

    async def _may_see(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._access(actor, texts["content_id"], "see")

    async def _access(self, actor: Actor, content_id: str, want: Literal["see", "change"]) -> Content:
        """Raises ContentNotFound, or Forbidden when it may be seen but not changed."""
        return await self._metadata.get(AccessQuery(content_id=content_id, actor=actor, want=want))
