"""Sign-in over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from streamgate.contracts.auth import (
    ACCESS_AUDIENCE,
    AddressInvalid,
    ChainUnknown,
    ChallengeExpired,
    ChallengeInvalid,
    ChallengeUsed,
    MessageMismatch,
    RefreshReused,
    SchemeUnknown,
    SignatureInvalid,
    TokenExpired,
    TokenInvalid,
    WalletRefused,
)
from streamgate.contracts.nft import ChainUnavailable
from streamgate.errors import Forbidden, TooMany, Unauthorized
from streamgate.sdk.clock import rfc3339
from streamgate.web.client import client_address
from streamgate.web.routes import PUBLIC, Call, Route
from streamgate.wire import to_plain
from streamgate_auth.cookies import Cookies, browser_hash
from streamgate_auth.forms import (
    ChallengeAnswer,
    ChallengeBody,
    KeySetAnswer,
    LogOutBody,
    RefreshBody,
    TokenAnswer,
    TokenBody,
    TokensAnswer,
    VerifyAnswer,
    VerifyBody,
)
from streamgate_auth.identity import Identity, Tokens
from streamgate_auth.keys import KeyRing
from streamgate_auth.limits import RequestLimit, WalletLimit, network_of, telling
from streamgate_auth.origin import Origin
from streamgate_auth.proofs import Asked, Proofs
from streamgate_auth.siwe import format_time

PREFIX = "/api/v1/auth"
JWKS_PATH = "/.well-known/jwks.json"
JWKS_MAX_AGE_S = 300
MAX_USER_AGENT_CHARS = 200
PROOF_ERRORS = (SignatureInvalid, ChallengeUsed, ChallengeExpired, ChallengeInvalid, MessageMismatch)


class AuthRoutes:
    def __init__(
        self,
        identity: Identity,
        proofs: Proofs,
        keys: KeyRing,
        limit: RequestLimit,
        wallet_limit: WalletLimit,
        cookies: Cookies,
    ) -> None:
        self._identity = identity
        self._proofs = proofs
        self._keys = keys
        self._limit = limit
        self._wallet_limit = wallet_limit
        self._cookies = cookies
        self._key_set: tuple[tuple[dict[str, str], ...], Response] | None = None  # the answer, and of which keys

    def routes(self) -> Sequence[Route]:
        """All of them public, and none reads a bearer: people come here because theirs is no good."""
        return [
            Route(
                "POST",
                f"{PREFIX}/challenge",
                self.challenge,
                policy=PUBLIC,
                reads_bearer=False,
                body=ChallengeBody,
                answer=ChallengeAnswer,
                summary="Ask for something to sign",
                audited="none",
                errors=(AddressInvalid, ChainUnknown, SchemeUnknown, TooMany),
            ),
            Route(
                "POST",
                f"{PREFIX}/verify-signature",
                self.verify_signature,
                policy=PUBLIC,
                reads_bearer=False,
                body=VerifyBody,
                answer=VerifyAnswer,
                summary="Sign in with what was signed",
                audited="refused",
                errors=(*PROOF_ERRORS, ChainUnavailable, Forbidden, TooMany),
            ),
            Route(
                "POST",
                f"{PREFIX}/verify-token",
                self.verify_token,
                policy=PUBLIC,
                reads_bearer=False,
                body=TokenBody,
                answer=TokenAnswer,
                summary="Whether an access token is good, and whose it is",
                audited="none",
                errors=(TooMany,),
            ),
            Route(
                "POST",
                f"{PREFIX}/refresh",
                self.refresh,
                policy=PUBLIC,
                reads_bearer=False,
                body=RefreshBody,
                answer=TokensAnswer,
                summary="Trade a refresh token for new tokens",
                errors=(
                    *(TokenInvalid, TokenExpired, RefreshReused, WalletRefused),
                    *(ChainUnavailable, Forbidden, TooMany),
                ),
            ),
            Route(
                "POST",
                f"{PREFIX}/logout",
                self.log_out,
                policy=PUBLIC,
                reads_bearer=False,
                body=LogOutBody,
                summary="End a sign-in and all its tokens",
                errors=(TokenInvalid, Forbidden),
            ),
            Route(
                "GET",
                JWKS_PATH,
                self.jwks,
                policy=PUBLIC,
                reads_bearer=False,
                answer=KeySetAnswer,
                summary="Public keys that access tokens are signed with",
            ),
        ]

    async def challenge(self, call: Call[ChallengeBody, None]) -> Response:
        self._limit.spend(call.request)
        number = self._cookies.browser_to_bind(call.request)
        asked = await self._proofs.ask(
            call.body.address, call.body.chain, call.body.scheme, browser=browser_hash(number)
        )
        self._wallet_limit.spend(asked.challenge.address, call.request)
        return challenge_response(asked, self._proofs.origin, self._cookies, number)

    async def verify_signature(self, call: Call[VerifyBody, None]) -> VerifyAnswer | Response:
        self._limit.spend(call.request)
        body = call.body
        if body.cookie:
            self._cookies.require_own_page(call.request)
        with telling(call.request):
            proven, tokens = await self._identity.verify(
                body.challenge_id,
                body.signature,
                body.message,
                browser=browser_hash(self._cookies.browser(call.request)),
                user_agent=_user_agent(call.request),
                client=client_address(call.request.scope),
                network=network_of(call.request),
            )
        self._wallet_limit.note_sign_in(proven.challenge.address, call.request)
        answer = VerifyAnswer(
            valid=True,
            chain=proven.challenge.chain,
            is_contract=proven.wallet.proof is not None,
            **_fields(tokens, with_refresh=not body.cookie),
        )
        return self._with_cookie(answer, tokens) if body.cookie else answer

    async def verify_token(self, call: Call[TokenBody, None]) -> TokenAnswer:
        self._limit.spend(call.request)
        state = await self._identity.look_at(call.body.token)
        word = state.word
        return TokenAnswer(
            valid=not state.reason,
            reason=state.reason or None,
            subject=word.user_id or None,
            audience=ACCESS_AUDIENCE if word.user_id else None,
            roles=word.roles,
            expires_at=rfc3339(word.expires_at_s * 1000) if word.user_id else None,
        )

    async def refresh(self, call: Call[RefreshBody, None]) -> TokensAnswer | Response:
        self._limit.spend(call.request)
        token, is_cookie = self._sent_token(call.request, call.body)
        tokens = await self._identity.refresh(token)
        answer = TokensAnswer(**_fields(tokens, with_refresh=not is_cookie))
        return self._with_cookie(answer, tokens) if is_cookie else answer

    async def log_out(self, call: Call[LogOutBody, None]) -> Response:
        token, is_cookie = self._sent_token(call.request, call.body)
        await self._identity.log_out(token, everywhere=call.body.everywhere)
        response = Response(status_code=204, headers={"Cache-Control": "no-store"})
        if is_cookie:
            self._cookies.clear_refresh_token(response)
        return response

    async def jwks(self, call: Call[None, None]) -> Response:
        """Asked by everybody who checks a token, and changes when keys do."""
        keys = (await self._keys.key_set()).keys
        if self._key_set is None or self._key_set[0] != keys:
            headers = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}"}
            body = orjson.dumps({"keys": keys})
            self._key_set = (keys, Response(body, media_type="application/json", headers=headers))
        return self._key_set[1]

    def _with_cookie(self, answer: TokensAnswer, tokens: Tokens) -> Response:
        response = _response(answer)
        self._cookies.set_refresh_token(response, tokens.refresh_token, ttl_s=self._identity.refresh_ttl_s)
        return response

    def _sent_token(self, request: Request, body: RefreshBody) -> tuple[str, bool]:
        """The refresh token, and whether it came as the cookie."""
        if body.refresh_token is not None:
            return body.refresh_token, False
        self._cookies.require_own_page(request)
        cookie = self._cookies.refresh_token(request)
        if cookie is None:
            raise Unauthorized("there is no refresh token, in the body or as a cookie; sign in")
        return cookie, True


def challenge_response(asked: Asked, origin: Origin, cookies: Cookies, browser: str | None) -> Response:
    """A challenge, with the cookie of the browser it is bound to."""
    challenge, to_sign = asked.challenge, asked.to_sign
    answer = ChallengeAnswer(
        challenge_id=asked.challenge_id,
        scheme=challenge.scheme,
        message=to_sign.message,
        typed_data=to_sign.typed_data,
        sign_in_input=to_sign.input,
        address=challenge.address,
        chain=challenge.chain,
        nonce=challenge.nonce,
        domain=origin.domain,
        issued_at=format_time(challenge.issued_at_s),
        expires_at=format_time(challenge.expires_at_s),
    )
    response = _response(answer)
    if browser is not None:
        cookies.set_browser(response, browser)
    return response


def _response(answer: object) -> Response:
    """A JSON answer that a cookie can be hung on."""
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(to_plain(answer)), media_type="application/json", headers=headers)


def _user_agent(request: Request) -> str:
    text = request.headers.get("user-agent", "")[:MAX_USER_AGENT_CHARS]
    return "".join(character for character in text if character.isprintable())


def _fields(tokens: Tokens, *, with_refresh: bool) -> dict[str, Any]:
    """What `TokensAnswer` is made of."""
    return {
        "access_token": tokens.access_token,
        "refresh_token": tokens.refresh_token if with_refresh else None,
        "token_type": "Bearer",
        "expires_in": tokens.expires_in,
        "user_id": tokens.sign_in.user_id,
        "address": tokens.sign_in.address,
        "roles": tokens.roles,
    }
