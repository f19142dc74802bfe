"""The two cookies of our own pages, both out of reach of scripts and sent to the auth paths alone.

`streamgate_refresh` holds the refresh token of a page that asked for it. `streamgate_browser` names nobody: it is a
random number that binds a challenge to the browser that asked, so that a challenge got out of one browser cannot be
answered from another.
"""

from __future__ import annotations

import hashlib
import secrets

from starlette.requests import Request
from starlette.responses import Response

from streamgate.errors import Forbidden
from streamgate_auth.origin import Origin

PATH = "/api/v1/auth"
REFRESH = "streamgate_refresh"
BROWSER = "streamgate_browser"
BROWSER_TTL_S = 86_400
MAX_COOKIE_CHARS = 200


class Cookies:
    """Reads and sets them for one origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin

    def require_own_page(self, request: Request) -> None:
        """Browsers name the page's origin on every POST; what comes without one is no browser, and has no cookie of
        somebody else's to misuse.

        Raises:
            Forbidden: a page of another origin asks.
        """
        origin = request.headers.get("origin")
        if origin is not None and origin.lower() != str(self._origin):
            raise Forbidden("the cookie is for pages of this server's own origin; send the token in the body")

    def refresh_token(self, request: Request) -> str | None:
        return request.cookies.get(REFRESH)

    def set_refresh_token(self, response: Response, token: str, *, ttl_s: int) -> None:
        self._set(response, REFRESH, token, ttl_s)

    def clear_refresh_token(self, response: Response) -> None:
        response.delete_cookie(REFRESH, path=PATH)

    def browser_to_bind(self, request: Request) -> str | None:
        """The number of the browser whose page, one of ours, asks for a challenge: known, or new. None: no browser,
        or a page of another origin, whose browser would not keep the cookie."""
        if request.headers.get("sec-fetch-site") != "same-origin":
            return None
        known = request.cookies.get(BROWSER, "")
        return known if 0 < len(known) <= MAX_COOKIE_CHARS else secrets.token_urlsafe(16)

    def set_browser(self, response: Response, number: str) -> None:
        self._set(response, BROWSER, number, BROWSER_TTL_S)

    def browser(self, request: Request) -> str | None:
        return request.cookies.get(BROWSER)

    def _set(self, response: Response, name: str, value: str, ttl_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=ttl_s,
            path=PATH,
            secure=self._origin.is_secure,
            httponly=True,
            samesite="strict",
        )


def browser_hash(number: str | None) -> str:
    """What a challenge carries of it; "" for no browser."""
    return "" if number is None else hashlib.sha256(number.encode()).hexdigest()[:32]
