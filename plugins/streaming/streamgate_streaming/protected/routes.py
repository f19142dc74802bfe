"""New keys for a content, by a typed route."""

from __future__ import annotations

import attrs

from streamgate.contracts.metadata import ContentNotFound
from streamgate.contracts.streaming import NotEncrypted, NotPlayable, StillMade
from streamgate.errors import Forbidden
from streamgate.settings import Matches
from streamgate.web.routes import Call, Route, owner

from .changing import Changing


@attrs.frozen(kw_only=True)
class RekeyBody:
    content_id: str = attrs.field(
        validator=Matches(r"[A-Za-z0-9_-]{1,40}", "must be the id of a content: 1 to 40 letters, digits, - and _")
    )


@attrs.frozen(kw_only=True)
class RekeyAnswer:
    """`media_version`: the new one. `sessions_ended`: of those that played by the keys from before."""

    content_id: str
    media_version: int
    sessions_ended: int


class ProtectedRoutes:
    def __init__(self, changing: Changing) -> None:
        self._changing = changing

    def routes(self) -> list[Route]:
        return [
            Route(
                "POST",
                "/api/v1/stream/rekey",
                self.rekey,
                policy=owner("content_id"),
                body=RekeyBody,
                answer=RekeyAnswer,
                summary="New keys for an encrypted content",
                description="For its owner and moderators. Its media get a new version, with the same segments under "
                "new addresses; what plays ends, and is opened again by players that do. Keys from before open "
                "nothing that is served from then on.",
                errors=(ContentNotFound, Forbidden, NotEncrypted, NotPlayable, StillMade),
            )
        ]

    async def rekey(self, call: Call[RekeyBody, None]) -> RekeyAnswer:
        version, ended = await self._changing.rekey(call.actor, call.body.content_id)
        return RekeyAnswer(content_id=call.body.content_id, media_version=version, sessions_ended=ended)
