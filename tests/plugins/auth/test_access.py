"""The authenticator every service has, against tokens that are not what it wants."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import attrs
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from streamgate.context import ANONYMOUS, Actor
from streamgate.contracts.auth import (
    AddressesQuery,
    ApiKeyQuery,
    AuthUnavailable,
    KeySet,
    Revoked,
    TokenExpired,
    TokenInvalid,
    VerifiedApiKey,
    WalletsAnswer,
    WalletsQuery,
)
from streamgate.errors import Unavailable
from streamgate.sdk.bearer import ASK_AGAIN_S, KEYS_FRESH_S, BearerAuthenticator
from streamgate.testing.attacks import attack
from streamgate.testing.clock import START_S, FakeClock
from streamgate_auth.keys import public_jwk

KEY = Ed25519PrivateKey.generate()
OTHER_KEY = Ed25519PrivateKey.generate()
CLAIMS = {
    "aud": "streamgate:access",
    "sub": "p_1",
    "sid": "a_1",
    "roles": ["viewer", "creator"],
    "addr": "0xabc",
    "iat": START_S,
    "exp": START_S + 600,
}
ACTOR = Actor(kind="user", user_id="p_1", roles=("viewer", "creator"), address="0xabc", credential="a_1")


@attrs.define
class FakeAuth:
    """Auth as far as a bearer needs it: a key set, or nobody there."""

    keys: list[Ed25519PrivateKey] = attrs.field(factory=lambda: [KEY])
    is_away: bool = False
    asked: int = 0
    api_keys: dict[str, Actor] = attrs.field(factory=dict)  # by digest
    revoked: tuple[str, ...] = ()
    asked_keys: int = 0
    asked_revoked: int = 0
    may_answer: asyncio.Event | None = None  # until then nobody hears what was revoked

    async def jwks(self) -> KeySet:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("nobody there")
        return KeySet(keys=tuple(public_jwk(key) for key in self.keys))

    async def verify_api_key(self, query: ApiKeyQuery) -> VerifiedApiKey:
        self.asked_keys += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable("nobody there")
        return VerifiedApiKey(actor=self.api_keys.get(query.digest))

    async def recently_revoked(self) -> Revoked:
        self.asked_revoked += 1
        if self.may_answer is not None:
            await self.may_answer.wait()
        if self.is_away:
            raise Unavailable("nobody there")
        return Revoked(credentials=self.revoked, until_ms=int(START_S + 600) * 1000)

    async def wallets_of(self, query: WalletsQuery) -> WalletsAnswer:
        raise AssertionError("no authenticator asks for wallets")

    async def who_has(self, query: AddressesQuery) -> WalletsAnswer:
        raise AssertionError("no authenticator asks for wallets")


@attrs.frozen
class Setup:
    auth: FakeAuth = attrs.field(factory=FakeAuth)
    clock: FakeClock = attrs.field(factory=FakeClock)
    bearer: BearerAuthenticator = attrs.field(
        default=attrs.Factory(lambda self: BearerAuthenticator(self.auth, self.auth, clock=self.clock), takes_self=True)
    )

    async def actor(self, token: str) -> Actor:
        return await self.bearer.authenticate({"authorization": f"Bearer {token}"})


@pytest.fixture
def setup() -> Setup:
    return Setup()


def token(
    claims: dict[str, Any] | None = None,
    *,
    key: Any = KEY,
    algorithm: str = "EdDSA",
    without: str = "",
    **header: Any,
) -> str:
    kid = public_jwk(KEY)["kid"]
    payload = {name: value for name, value in {**CLAIMS, **(claims or {})}.items() if name != without}
    return jwt.encode(payload, key, algorithm=algorithm, headers={"kid": kid, "typ": "at+jwt", **header})


async def test_a_good_token_names_its_actor(setup: Setup) -> None:
    assert await setup.actor(token()) == ACTOR
    assert await setup.bearer.authenticate({}) == ANONYMOUS


def raw_token(signature: bytes | None = None, **header: object) -> str:
    """Put together by hand, for headers that PyJWT would not write."""

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = {"alg": "EdDSA", "kid": public_jwk(KEY)["kid"], "typ": "at+jwt", **header}
    signed = f"{part(json.dumps(head).encode())}.{part(json.dumps(CLAIMS).encode())}"
    return f"{signed}.{part(KEY.sign(signed.encode()) if signature is None else signature)}"


async def test_a_token_put_together_by_hand_is_good_when_its_header_is(setup: Setup) -> None:
    assert await setup.actor(raw_token()) == ACTOR


@attack("B26")
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(token(key=OTHER_KEY), id="signed by another key"),
        pytest.param(token(kid="invented"), id="unknown kid"),
        pytest.param(token(kid="../../etc/passwd"), id="kid as a path"),
        pytest.param(raw_token(kid=5), id="kid of another kind"),
        pytest.param(raw_token(b"", alg="none"), id="alg none"),
        pytest.param(token(key="x" * 32, algorithm="HS256"), id="alg HS256"),
        pytest.param(token(key=public_jwk(KEY)["x"], algorithm="HS256"), id="public key as HMAC secret"),
        pytest.param(
            token(key=OTHER_KEY, jwk=public_jwk(OTHER_KEY), jku="https://evil.example"), id="brings its own key"
        ),
        pytest.param(token({"aud": "streamgate:playback"}), id="playback audience"),
        pytest.param(token({"aud": "streamgate:refresh"}), id="refresh audience"),
        pytest.param(token(without="aud"), id="no audience"),
        pytest.param(token(without="exp"), id="no expiry"),
        pytest.param(token(without="sub"), id="no subject"),
        pytest.param(token(typ="JWT"), id="another type"),
        pytest.param(token({"roles": "admin"}), id="roles as text"),
        pytest.param(token({"exp": "never"}), id="expiry as text"),
        pytest.param(token({"iat": START_S + 60}), id="from the future"),
        pytest.param(token()[:-2], id="cut off"),
        pytest.param(token().replace(".", "", 1), id="two parts"),
        pytest.param("r1.a_0.1." + "A" * 43, id="refresh token"),
        pytest.param("x" * 5000, id="too long"),
        pytest.param("", id="empty"),
    ],
)
async def test_what_is_no_access_token_is_401(setup: Setup, bad: str) -> None:
    with pytest.raises((TokenInvalid, TokenExpired)) as caught:
        await setup.actor(bad)
    assert caught.value.status == 401
    assert not bad or bad not in str(caught.value)


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "Token x"])
async def test_another_scheme_is_401_and_never_anonymous(setup: Setup, header: str) -> None:
    with pytest.raises(TokenInvalid):
        await setup.bearer.authenticate({"authorization": header})


async def test_a_remembered_token_expires_to_the_second(setup: Setup) -> None:
    good = token()
    setup.clock.jump(599)
    assert await setup.actor(good) == ACTOR
    setup.clock.jump(1)
    for _ in range(2):  # remembered, then not
        with pytest.raises(TokenExpired):
            await setup.actor(good)


async def test_no_key_set_yet_is_503_and_then_mends_itself(setup: Setup) -> None:
    setup.auth.is_away = True
    with pytest.raises(AuthUnavailable) as caught:
        await setup.actor(token())
    assert (caught.value.status, caught.value.code) == (503, "auth.unavailable")
    setup.auth.is_away = False
    assert await setup.actor(token()) == ACTOR


async def test_many_at_once_ask_once(setup: Setup) -> None:
    await asyncio.gather(*(setup.actor(token({"sub": f"p_{n}"})) for n in range(20)))
    assert setup.auth.asked == 1


async def test_a_new_key_is_found_by_asking_once_more(setup: Setup) -> None:
    await setup.actor(token())
    setup.auth.keys.append(OTHER_KEY)
    new = token(key=OTHER_KEY, kid=public_jwk(OTHER_KEY)["kid"])
    setup.clock.jump(ASK_AGAIN_S)
    assert await setup.actor(new) == ACTOR
    assert setup.auth.asked == 2


async def test_a_new_key_that_cannot_be_asked_for_is_503_and_no_end_of_the_sign_in(setup: Setup) -> None:
    await setup.actor(token())
    setup.auth.keys.append(OTHER_KEY)
    new = token(key=OTHER_KEY, kid=public_jwk(OTHER_KEY)["kid"])
    setup.auth.is_away = True
    setup.clock.jump(ASK_AGAIN_S)
    for _ in range(2):
        with pytest.raises(AuthUnavailable):
            await setup.actor(new)
    assert setup.auth.asked == 2
    setup.auth.is_away = False
    setup.clock.jump(ASK_AGAIN_S)
    assert await setup.actor(new) == ACTOR


@attack("B26", "B41")
async def test_invented_kids_do_not_make_us_ask_again_and_again(setup: Setup) -> None:
    await setup.actor(token())
    for n in range(50):
        with pytest.raises(TokenInvalid):
            await setup.actor(token(kid=f"invented-{n}"))
    assert setup.auth.asked == 1


async def test_keys_go_on_serving_while_auth_is_away(setup: Setup) -> None:
    await setup.actor(token())
    setup.auth.is_away = True
    setup.clock.jump(KEYS_FRESH_S + 1)
    assert await setup.actor(token({"sub": "p_2"})) == attrs.evolve(ACTOR, user_id="p_2")


async def test_a_withdrawn_key_is_refused_once_the_set_is_read_again(setup: Setup) -> None:
    good = token()
    await setup.actor(good)
    setup.auth.keys[:] = [OTHER_KEY]
    setup.clock.jump(KEYS_FRESH_S + 1)
    with pytest.raises(TokenInvalid):
        await setup.actor(good)
