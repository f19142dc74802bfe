"""Metadata over HTTP, by the mission's paths."""

from __future__ import annotations

import attrs

from streamgate.contracts.metadata import (
    AccessQuery,
    Content,
    ContentChanges,
    ContentDelete,
    ContentDraft,
    ContentFilter,
    ContentNotFound,
    ContentPage,
    FacetQuery,
    Facets,
    Metadata,
    content_search,
    content_update,
    new_content,
)
from streamgate.errors import Forbidden
from streamgate.web.routes import CREATOR, PUBLIC, Call, Route, owner

PREFIX = "/api/v1/metadata"


@attrs.frozen(kw_only=True)
class ContentId:
    content_id: str


@attrs.frozen(kw_only=True)
class UpdateBody(ContentChanges):
    """Fields left out, or null, stay as they are."""

    content_id: str


@attrs.frozen(kw_only=True)
class CategoriesQuery:
    """`limit` 1 to 200."""

    limit: int = 50


@attrs.frozen(kw_only=True)
class TagsQuery:
    """`prefix`: how they begin. `limit` 1 to 200."""

    prefix: str = ""
    limit: int = 50


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
                body=ContentDraft,
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
                query=ContentFilter,
                answer=ContentPage,
                summary="Search contents",
                description="Listed and published contents, and one's own; every word of `q` must occur.",
            ),
            Route(
                "GET",
                f"{PREFIX}/categories",
                self._categories,
                policy=PUBLIC,
                query=CategoriesQuery,
                answer=Facets,
                summary="Categories, the fullest first",
                description="With how many of the contents that the caller may list are in each.",
            ),
            Route(
                "GET",
                f"{PREFIX}/tags",
                self._tags,
                policy=PUBLIC,
                query=TagsQuery,
                answer=Facets,
                summary="Tags, the most used first",
                description="In small letters, with how many of the contents that the caller may list have each.",
            ),
        ]

    async def _get(self, call: Call[None, ContentId]) -> Content:
        query = AccessQuery(content_id=call.query.content_id, actor=call.actor, want="see")
        return await self._metadata.get(query)

    async def _create(self, call: Call[ContentDraft, None]) -> Content:
        return await self._metadata.create(new_content(call.body, call.actor))

    async def _update(self, call: Call[UpdateBody, None]) -> Content:
        return await self._metadata.update(content_update(call.body, call.body.content_id, call.actor))

    async def _delete(self, call: Call[None, ContentId]) -> None:
        await self._metadata.delete(ContentDelete(content_id=call.query.content_id, actor=call.actor))

    async def _search(self, call: Call[None, ContentFilter]) -> ContentPage:
        return await self._metadata.search(content_search(call.query, call.actor))

    async def _categories(self, call: Call[None, CategoriesQuery]) -> Facets:
        return await self._metadata.categories(FacetQuery(actor=call.actor, limit=call.query.limit))

    async def _tags(self, call: Call[None, TagsQuery]) -> Facets:
        wanted = FacetQuery(actor=call.actor, prefix=call.query.prefix, limit=call.query.limit)
        return await self._metadata.tags(wanted)
