"""`GET /api/v1/stream/admit`: may whoever asks a proxy for this file have it now? For nginx' `auth_request`.

204 is yes; every refusal is the very answer that the file itself would have. Where all of a content is open to a
session, nginx may take one yes for the whole session, for a second (`X-Accel-Expires`); where only a part is, it has to
ask about each file. `Stream-Media` names the bytes' owner, under which a proxy may keep them for all viewers.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.responses import Response

from streamgate.contracts.gate import GateRefused, GateUnknown
from streamgate.contracts.streaming import CaptionsUnknown, PictureUnknown, SegmentUnknown, SessionEnded, SessionUnknown
from streamgate.errors import FieldError, Invalid
from streamgate.web.routes import TOKEN, Call, Route

from .delivery import Delivery
from .extent import ALL

PATH = "/api/v1/stream/admit"
ASKED_FOR, MEDIA = "Stream-File", "Stream-Media"
_MISSING = (SessionUnknown, SegmentUnknown, PictureUnknown, CaptionsUnknown)
_ERRORS = (*_MISSING, SessionEnded, GateRefused, GateUnknown, Invalid)
KEPT_S = 1
"""So much later than without nginx the end of a session is noticed."""


class Admission:
    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def route(self) -> Route:
        return Route(
            "GET",
            PATH,
            self.admit,
            policy=TOKEN,
            status=204,
            summary="Whether a file may be had now, for nginx' auth_request",
            description="Refuses as the file itself would. `X-Accel-Expires`: for how long nginx may take the answer "
            "for all files of the session.",
            headers_doc={ASKED_FOR: "The path of the stream's file that was asked for."},
            errors=_ERRORS,
        )

    async def admit(self, call: Call[None, None]) -> Response:
        asked = call.request.headers.get(ASKED_FOR)
        if asked is None:
            told = f"is missing: the path of a stream's file, as nginx knows it ({ASKED_FOR}: $request_uri)"
            raise Invalid("there is no file to be admitted to", errors=(FieldError(ASKED_FOR, told),))
        admitted = await self._delivery.admit(urlsplit(asked).path)
        live = admitted.live
        headers = {MEDIA: f"{live.content_id}/{live.media_version}", "Cache-Control": "private, no-store"}
        if live.extent == ALL and not live.is_sealed:
            headers["X-Accel-Expires"] = str(KEPT_S)
        else:  # of what is encrypted no segment is below a session, and nginx may have kept it from before
            await self._delivery.opened(admitted)
        return Response(status_code=204, headers=headers)
