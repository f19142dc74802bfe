"""One's own account over HTTP: sign-ins, wallets, API keys. By people who have signed in, never by API keys."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from streamgate.contracts.auth import (
    AddressInvalid,
    ChainUnknown,
    KeyNotAllowed,
    KeyNotFound,
    LastWallet,
    ProofRefused,
    SchemeUnknown,
    SignInNotFound,
    TooManyOfYours,
    WalletNotFound,
    WalletTaken,
)
from streamgate.contracts.nft import ChainUnavailable
from streamgate.errors import TooMany
from streamgate.web.routes import SIGNED_IN, Call, Route
from streamgate_auth.api_keys import ApiKeys
from streamgate_auth.cookies import Cookies, browser_hash
from streamgate_auth.forms import ChallengeAnswer, ChallengeBody, ProofBody
from streamgate_auth.forms_account import (
    KeyItem,
    KeyPath,
    KeysListed,
    MadeKeyAnswer,
    NewKeyBody,
    SignInItem,
    SignInName,
    SignInPath,
    SignInsAnswer,
    WalletItem,
    WalletPath,
    WalletsListed,
)
from streamgate_auth.guards import person_only
from streamgate_auth.identity import Identity
from streamgate_auth.limits import RequestLimit, WalletLimit, network_of, telling
from streamgate_auth.proofs import Proofs
from streamgate_auth.routes import PREFIX, challenge_response
from streamgate_auth.wallets import Wallets


class AccountRoutes:
    def __init__(
        self,
        identity: Identity,
        proofs: Proofs,
        wallets: Wallets,
        api_keys: ApiKeys,
        limit: RequestLimit,
        wallet_limit: WalletLimit,
        cookies: Cookies,
    ) -> None:
        self._identity = identity
        self._proofs = proofs
        self._wallets = wallets
        self._api_keys = api_keys
        self._limit = limit
        self._wallet_limit = wallet_limit
        self._cookies = cookies

    def routes(self) -> Sequence[Route]:
        return [*self._session_routes(), *self._wallet_routes(), *self._key_routes()]

    def _session_routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/sessions",
                self.sessions,
                policy=SIGNED_IN,
                guard=person_only,
                answer=SignInsAnswer,
                summary="Where you are signed in",
                errors=(KeyNotAllowed,),
            ),
            Route(
                "PUT",
                f"{PREFIX}/sessions/{{session_id}}",
                self.name_session,
                policy=SIGNED_IN,
                guard=person_only,
                query=SignInPath,
                body=SignInName,
                summary="Give one of your sign-ins a name to know it by",
                errors=(SignInNotFound, KeyNotAllowed),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/sessions/{{session_id}}",
                self.revoke_session,
                policy=SIGNED_IN,
                guard=person_only,
                query=SignInPath,
                summary="End one of your sign-ins",
                errors=(SignInNotFound, KeyNotAllowed),
            ),
        ]

    def _wallet_routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/wallets",
                self.wallets,
                policy=SIGNED_IN,
                guard=person_only,
                answer=WalletsListed,
                summary="Your wallets",
                errors=(KeyNotAllowed,),
            ),
            Route(
                "POST",
                f"{PREFIX}/wallets/challenge",
                self.wallet_challenge,
                policy=SIGNED_IN,
                guard=person_only,
                body=ChallengeBody,
                answer=ChallengeAnswer,
                summary="Ask for what another wallet signs to be linked to your account",
                audited="none",
                errors=(AddressInvalid, ChainUnknown, SchemeUnknown, TooMany, KeyNotAllowed),
            ),
            Route(
                "POST",
                f"{PREFIX}/wallets",
                self.link_wallet,
                policy=SIGNED_IN,
                guard=person_only,
                body=ProofBody,
                answer=WalletItem,
                status=201,
                summary="Link a wallet by its signature",
                errors=(ProofRefused, WalletTaken, TooManyOfYours, ChainUnavailable, TooMany, KeyNotAllowed),
            ),
            Route(
                "PUT",
                f"{PREFIX}/wallets/{{address}}/primary",
                self.make_primary,
                policy=SIGNED_IN,
                guard=person_only,
                query=WalletPath,
                summary="Choose the wallet you are shown by",
                errors=(AddressInvalid, ChainUnknown, WalletNotFound, KeyNotAllowed),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/wallets/{{address}}",
                self.unlink_wallet,
                policy=SIGNED_IN,
                guard=person_only,
                query=WalletPath,
                summary="Unlink a wallet, and end the sign-ins made with it",
                errors=(AddressInvalid, ChainUnknown, WalletNotFound, LastWallet, KeyNotAllowed),
            ),
        ]

    def _key_routes(self) -> Sequence[Route]:
        return [
            Route(
                "GET",
                f"{PREFIX}/api-keys",
                self.keys,
                policy=SIGNED_IN,
                guard=person_only,
                answer=KeysListed,
                summary="Your API keys",
                errors=(KeyNotAllowed,),
            ),
            Route(
                "POST",
                f"{PREFIX}/api-keys",
                self.make_key,
                policy=SIGNED_IN,
                guard=person_only,
                body=NewKeyBody,
                answer=MadeKeyAnswer,
                status=201,
                summary="Make an API key, shown this once",
                errors=(TooManyOfYours, KeyNotAllowed),
            ),
            Route(
                "DELETE",
                f"{PREFIX}/api-keys/{{key_id}}",
                self.revoke_key,
                policy=SIGNED_IN,
                guard=person_only,
                query=KeyPath,
                summary="Revoke an API key",
                errors=(KeyNotFound, KeyNotAllowed),
            ),
        ]

    async def sessions(self, call: Call[None, None]) -> SignInsAnswer:
        records = await self._identity.sign_ins(call.actor)
        return SignInsAnswer(items=tuple(SignInItem.of(record, call.actor.credential) for record in records))

    async def name_session(self, call: Call[SignInName, SignInPath]) -> None:
        await self._identity.name(call.actor, call.query.session_id, call.body.name)

    async def revoke_session(self, call: Call[None, SignInPath]) -> None:
        await self._identity.revoke(call.actor, call.query.session_id)

    async def wallets(self, call: Call[None, None]) -> WalletsListed:
        wallets = await self._wallets.listed(call.actor)
        return WalletsListed(items=tuple(WalletItem.of(each, primary=each is wallets[0]) for each in wallets))

    async def wallet_challenge(self, call: Call[ChallengeBody, None]) -> Response:
        self._limit.spend(call.request)
        number = self._cookies.browser_to_bind(call.request)
        body = call.body
        asked = await self._wallets.ask(call.actor, body.address, body.chain, body.scheme, browser=browser_hash(number))
        self._wallet_limit.spend(asked.challenge.address, call.request)
        return challenge_response(asked, self._proofs.origin, self._cookies, number)

    async def link_wallet(self, call: Call[ProofBody, None]) -> WalletItem:
        self._limit.spend(call.request)
        body = call.body
        browser = browser_hash(self._cookies.browser(call.request))
        network = network_of(call.request)
        with telling(call.request):
            wallet = await self._wallets.link(
                call.actor, body.challenge_id, body.signature, body.message, browser=browser, network=network
            )
        first = (await self._wallets.listed(call.actor))[0]
        return WalletItem.of(wallet, primary=wallet.name == first.name)

    async def make_primary(self, call: Call[None, WalletPath]) -> None:
        await self._wallets.make_primary(call.actor, call.query.address)

    async def unlink_wallet(self, call: Call[None, WalletPath]) -> None:
        await self._wallets.unlink(call.actor, call.query.address)

    async def keys(self, call: Call[None, None]) -> KeysListed:
        return KeysListed(items=tuple(KeyItem.of(record) for record in await self._api_keys.listed(call.actor)))

    async def make_key(self, call: Call[NewKeyBody, None]) -> MadeKeyAnswer:
        body = call.body
        made = await self._api_keys.make(call.actor, body.name, body.scopes, body.expires_in_s)
        return MadeKeyAnswer.made(made.record, made.api_key)

    async def revoke_key(self, call: Call[None, KeyPath]) -> None:
        await self._api_keys.revoke(call.actor, call.query.key_id)
