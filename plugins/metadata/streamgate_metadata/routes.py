"""Metadata over HTTP, by the mission's paths."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.contracts.metadata import (
    AccessQuery,
    Content,
    ContentDelete,
    ContentNotFound,
    ContentPage,
    ContentSearch,
    ContentUpdate,
    Metadata,
    NewContent,
    Protection,
    Visibility,
)
from streamgate.errors import Forbidden
from streamgate.web.routes import CREATOR, PUBLIC, Call, Route, owner

PREFIX = "/api/v1/metadata"


@attrs.frozen(kw_only=True)
class ContentId:
    content_id: str


@attrs.frozen(kw_only=True)
class CreateBody:
    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    category: str = ""
    visibility: Visibility = "unlisted"
    protection: Protection = "none"


@attrs.frozen(kw_only=True)
class UpdateBody:
    """Fields left out, or null, stay as they are."""

    content_id: str
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None
    visibility: Visibility | None = None


@attrs.frozen(kw_only=True)
class SearchQuery:
    q: str = ""
    tag: str = ""
    category: str = ""
    sort: Literal["newest", "oldest", "title"] = "newest"
    limit: int = 50
    cursor: str = ""


class MetadataRoutes:
    """The handlers; each asks the service, which decides."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                PREFIX,
                self._get,
                policy=PUBLIC,
                query=ContentId,
                answer=Content,
                summary="One content",
                description="Published contents for everyone who has the id, private ones for their owner.",
                errors=(ContentNotFound,),
            ),
            Route(
                "POST",
                f"{PREFIX}/create",
                self._create,
                policy=CREATOR,
                body=CreateBody,
                answer=Content,
                status=201,
                summary="Create a content",
            ),
            Route(
                "PUT",
                f"{PREFIX}/update",
                self._update,
                policy=owner("content_id"),
                body=UpdateBody,
                answer=Content,
                summary="Change a content",
                errors=(ContentNotFound, Forbidden),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/delete",
                self._delete,
                policy=owner("content_id"),
                query=ContentId,
                status=204,
                summary="Delete a content",
                description="Nothing of it is served from then on. Deleting again is harmless.",
                errors=(ContentNotFound, Forbidden),
            ),
            Route(
                "GET",
                f"{PREFIX}/search",
                self._search,
                policy=PUBLIC,
                query=SearchQuery,
                answer=ContentPage,
                summary="Search contents",
                description="Listed and published contents, and one's own; every word of `q` must occur.",
            ),
        ]

    async def _get(self, call: Call[None, ContentId]) -> Content:
        query = AccessQuery(content_id=call.query.content_id, actor=call.actor, want="see")
        return await self._metadata.get(query)

    async def _create(self, call: Call[CreateBody, None]) -> Content:
        body = call.body
        return await self._metadata.create(
            NewContent(
                actor=call.actor,
                title=body.title,
                description=body.description,
                tags=body.tags,
                category=body.category,
                visibility=body.visibility,
                protection=body.protection,
            )
        )

    async def _update(self, call: Call[UpdateBody, None]) -> Content:
        body = call.body
        return await self._metadata.update(
            ContentUpdate(
                content_id=body.content_id,
                actor=call.actor,
                title=body.title,
                description=body.description,
                tags=body.tags,
                category=body.category,
                visibility=body.visibility,
            )
        )

    async def _delete(self, call: Call[None, ContentId]) -> None:
        await self._metadata.delete(ContentDelete(content_id=call.query.content_id, actor=call.actor))

    async def _search(self, call: Call[None, SearchQuery]) -> ContentPage:
        query = call.query
        return await self._metadata.search(
            ContentSearch(
                actor=call.actor,
                q=query.q,
                tag=query.tag,
                category=query.category,
                sort=query.sort,
                limit=query.limit,
                cursor=query.cursor,
            )
        )
