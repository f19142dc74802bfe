"""The typed routes of posters: for all who may see a content, whoever may watch it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import attrs
from sqlalchemy.orm import Session
from starlette.responses import Response

from streamgate.context import Actor
from streamgate.contracts.metadata import AccessQuery, ContentNotFound, Metadata
from streamgate.contracts.pictures import HEAD_BYTES, MAX_GIVEN_BYTES, MadePicture, kind_of_still
from streamgate.contracts.streaming import PictureUnknown, PosterInvalid
from streamgate.errors import Forbidden, TooLarge
from streamgate.sdk.blobs import BlobMissing, BlobStore
from streamgate.sdk.db import Database
from streamgate.settings import Matches
from streamgate.web.routes import PUBLIC, Call, Route, owner

from . import picture_repository as pictures
from .own_posters import OwnPosters
from .showing import MEDIA_TYPE

PATH = "/api/v1/stream/poster/{content_id}.jpg"
MOVING_PATH = "/api/v1/stream/poster/{content_id}.webp"
MOVING_TYPE = "image/webp"
GIVEN = ("image/jpeg", "image/png", "image/webp")
_CONTENT_ID = Matches(r"[A-Za-z0-9_-]{1,40}", "must be the id of a content: 1 to 40 letters, digits, - and _")


@attrs.frozen(kw_only=True)
class PosterPath:
    content_id: str = attrs.field(validator=_CONTENT_ID)


class PosterRoutes:
    def __init__(self, db: Database, blobs: BlobStore, metadata: Metadata, own: OwnPosters) -> None:
        self._db = db
        self._blobs = blobs
        self._metadata = metadata
        self._own = own

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
                "everybody, whatever its gate. Asked for again each time; most answers are 304. The ETag of one of the "
                "creator's own begins with `own-`, and is another each time one is given.",
                headers_doc={"If-None-Match": "The ETag that is known; answered 304."},
                also={304: "The poster that is known."},
                errors=(ContentNotFound, PictureUnknown),
            ),
            Route(
                "GET",
                MOVING_PATH,
                self.show_moving,
                policy=PUBLIC,
                query=PosterPath,
                produces=(MOVING_TYPE,),
                summary="The moving poster of a content",
                description="A few pictures of the film's first half, one after the other, without end and without "
                "sound: animated WebP, at most 320 pixels long. For those who may see the poster. There is none of "
                "sound, of a film with one key frame, and while a poster of the creator's own is shown.",
                headers_doc={"If-None-Match": "The ETag that is known; answered 304."},
                also={304: "The one that is known."},
                errors=(ContentNotFound, PictureUnknown),
            ),
            Route(
                "PUT",
                PATH,
                self.give,
                policy=owner("content_id"),
                guard=self._guard,
                query=PosterPath,
                raw_body=True,
                accepts=GIVEN,
                status=202,
                timeout_s=60.0,
                summary="Give a content a poster of one's own",
                description=f"A picture of at most {MAX_GIVEN_BYTES >> 20} MiB. It is decoded in a process of its own, "
                "made as large as posters are, and shown from then on, in place of the one made of the film; nobody is "
                "sent the file as it came. Where it is damaged, a warning of the media says so.",
                errors=(ContentNotFound, Forbidden, PosterInvalid, TooLarge),
            ),
            Route(
                "DELETE",
                PATH,
                self.take_back,
                policy=owner("content_id"),
                guard=self._guard,
                query=PosterPath,
                summary="Take one's own poster back",
                description="The one made of the film is shown again. Harmless where there is none of one's own.",
                errors=(ContentNotFound, Forbidden),
            ),
        ]

    async def _guard(self, actor: Actor, texts: Mapping[str, str]) -> None:
        await self._metadata.get(AccessQuery(content_id=texts["content_id"], actor=actor, want="change"))

    async def give(self, call: Call[None, PosterPath]) -> Response:
        content_id = call.query.content_id
        data = bytearray()
        async for piece in call.request.stream():
            data += piece
            if len(data) > MAX_GIVEN_BYTES:
                raise TooLarge(f"a poster has at most {MAX_GIVEN_BYTES} bytes")
        if kind_of_still(bytes(data[:HEAD_BYTES])) is None:
            raise PosterInvalid("send the bytes of a JPEG, PNG or WebP file")
        content = await self._metadata.get(AccessQuery(content_id=content_id, actor=call.actor, want="change"))
        await self._own.give(content_id, content.owner, bytes(data))
        return Response(status_code=202)

    async def take_back(self, call: Call[None, PosterPath]) -> None:
        await self._own.take_back(call.query.content_id)

    async def show(self, call: Call[None, PosterPath]) -> Response:
        return await self._shown(call, pictures.poster_of, "poster", MEDIA_TYPE)

    async def show_moving(self, call: Call[None, PosterPath]) -> Response:
        return await self._shown(call, pictures.moving_poster_of, "moving poster", MOVING_TYPE)

    async def _shown(
        self,
        call: Call[None, PosterPath],
        find: Callable[[Session, str], MadePicture | None],
        name: str,
        media_type: str,
    ) -> Response:
        content_id = call.query.content_id
        await self._metadata.get(AccessQuery(content_id=content_id, actor=call.actor, want="see"))
        poster, is_own = await self._db.read(lambda s: (find(s, content_id), pictures.has_own(s, content_id)))
        if poster is None:
            raise PictureUnknown(f"content {content_id} has no {name}, or none yet")
        etag = _etag_of_own(poster) if is_own else f'"{poster.sha256[:32]}"'
        whose = "private" if call.actor.is_signed_in else "public"
        headers = {"ETag": etag, "Cache-Control": f"{whose}, no-cache", "Vary": "Authorization"}
        known = call.request.headers.get("if-none-match", "")
        if etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        try:
            data = await self._blobs.read(poster.key)
        except BlobMissing as fault:
            raise PictureUnknown(f"the {name} is lost") from fault
        return Response(data, media_type=media_type, headers=headers)


def _etag_of_own(poster: MadePicture) -> str:
    """Another one each time a picture is given, the same picture too: who gave it sees that it has come."""
    return f'"own-{hashlib.sha256(poster.key.encode()).hexdigest()[:32]}"'
