"""The typed routes of posters: for all who may see a content, whoever may watch it."""

from __future__ import annotations

import attrs
from starlette.responses import Response

from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.streaming import PictureUnknown
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.db import Database
from streamgate.settings import Matches
from streamgate.web.routes import PUBLIC, Call, Route

from . import picture_repository as pictures
from .showing import MEDIA_TYPE

PATH = "/api/v1/stream/poster/{content_id}.jpg"
_CONTENT_ID = Matches(r"[A-Za-z0-9_-]{1,40}", "must be the id of a content: 1 to 40 letters, digits, - and _")


@attrs.frozen(kw_only=True)
class PosterPath:
    content_id: str = attrs.field(validator=_CONTENT_ID)


class PosterRoutes:
    def __init__(self, db: Database, blobs: BlobStore, metadata: Metadata) -> None:
        self._db = db
        self._blobs = blobs
        self._metadata = metadata

    def routes(self) -> list[Route]:
        return [
            Route(
                "GET",
                PATH,
                self.show,
                policy=PUBLIC,
                query=PosterPath,
                produces=(MEDIA_TYPE,),
                summary="The poster of a content",
                description="For all who may see that the content exists: what is published shows its poster to "
                "everybody, whatever its gate. Asked for again each time; most answers are 304.",
                headers_doc={"If-None-Match": "The ETag that is known; answered 304."},
                also={304: "The poster that is known."},
                errors=(ContentNotFound, PictureUnknown),
            ),
        ]

    async def show(self, call: Call[None, PosterPath]) -> Response:
        content_id = call.query.content_id
        await self._metadata.get(AccessQuery(content_id=content_id, actor=call.actor, want="see"))
        poster = await self._db.read(lambda session: pictures.poster_of(session, content_id))
        if poster is None:
            raise PictureUnknown(f"content {content_id} has no poster, or none yet")
        etag = f'"{poster.sha256[:32]}"'
        whose = "private" if call.actor.is_signed_in else "public"
        headers = {"ETag": etag, "Cache-Control": f"{whose}, no-cache", "Vary": "Authorization"}
        known = call.request.headers.get("if-none-match", "")
        if etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        try:
            data = await self._blobs.read(poster.key)
        except BlobMissing as fault:
            raise PictureUnknown("the poster is lost") from fault
        return Response(data, media_type=MEDIA_TYPE, headers=headers)
