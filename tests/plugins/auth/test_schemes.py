"""The rules of a challenge hold whatever is signed: one suite, every scheme."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import httpx
import pytest
from sqlalchemy import text

from streamgate.contracts.auth import ChallengeExpired, ChallengeInvalid, SchemeUnknown, SignatureInvalid
from streamgate.contracts.hooks import SigningFacts, ToSign
from streamgate.testing.clock import FakeClock
from streamgate.testing.house import House
from streamgate_auth.challenge import TTL_S
from streamgate_auth.proofs import Proofs
from streamgate_auth.schemes.collected import Schemes
from tests.plugins.auth.people import (
    EVM_SCHEMES,
    SCHEMES,
    AnyWallet,
    answer_to,
    ask,
    sign_in_by,
    wallet_for,
)

VERIFY = "/api/v1/auth/verify-signature"
every_scheme = pytest.mark.parametrize("scheme", SCHEMES)


async def verify(http: httpx.AsyncClient, asked: dict[str, Any], wallet: AnyWallet, **more: Any) -> httpx.Response:
    return await http.post(VERIFY, json={**answer_to(asked, wallet), **more})


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 401, answer.text
    code: str = answer.json()["code"]
    return code


@every_scheme
async def test_a_wallet_signs_what_names_everything_it_is_bound_to(http: httpx.AsyncClient, scheme: str) -> None:
    wallet = wallet_for(scheme, "alice")
    asked = await ask(http, wallet, scheme)
    assert (asked["scheme"], asked["address"], asked["domain"]) == (scheme, wallet.address, "video.example")
    assert (asked["typed_data"] is None) != (scheme == "eip712")
    assert (asked["message"] is None) == (scheme == "eip712")
    shown = asked["message"] or json.dumps(asked["typed_data"])
    for part in (asked["domain"], wallet.address, asked["nonce"], asked["issued_at"], asked["expires_at"], "Sign in"):
        assert part in shown
    assert asked["chain"].partition(":")[2] in shown
    found = (await verify(http, asked, wallet)).json()
    assert (found["valid"], found["address"], found["chain"]) == (True, wallet.address, asked["chain"])
    assert asked["chain"] == ("eip155:1" if scheme in EVM_SCHEMES else "solana:mainnet")


async def test_all_schemes_of_a_wallet_are_one_person_and_two_kinds_of_chain_are_two(http: httpx.AsyncClient) -> None:
    people = {scheme: (await sign_in_by(http, wallet_for(scheme, "alice"), scheme))["user_id"] for scheme in SCHEMES}
    assert len({people[scheme] for scheme in EVM_SCHEMES}) == 1
    assert len(set(people.values())) == 2


@every_scheme
async def test_a_challenge_is_good_for_one_sign_in(http: httpx.AsyncClient, scheme: str) -> None:
    wallet = wallet_for(scheme, "alice")
    asked = await ask(http, wallet, scheme)
    answers = await asyncio.gather(*(verify(http, asked, wallet) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    assert refused(await verify(http, asked, wallet)) == "auth.challenge_used"


@every_scheme
async def test_a_wrong_answer_burns_and_stores_nothing(home: House, http: httpx.AsyncClient, scheme: str) -> None:
    alice, mallory = wallet_for(scheme, "alice"), wallet_for(scheme, "mallory")
    asked = await ask(http, alice, scheme)
    assert refused(await verify(http, asked, mallory)) == "auth.signature_invalid"
    other = await ask(http, alice, scheme)
    wrong = {**answer_to(other, alice), "challenge_id": asked["challenge_id"]}
    assert refused(await http.post(VERIFY, json=wrong)) == "auth.signature_invalid"
    count = text("SELECT (SELECT count(*) FROM auth_sessions) + (SELECT count(*) FROM auth_used_challenges)")
    assert await home.plugins["auth"].db.read(lambda session: session.scalar(count)) == 0
    assert (await verify(http, asked, alice)).status_code == 200


@every_scheme
async def test_an_answer_to_one_scheme_is_none_to_another(http: httpx.AsyncClient, scheme: str) -> None:
    wallet = wallet_for(scheme, "alice")
    asked = await ask(http, wallet, scheme)
    for other in SCHEMES:
        if other != scheme and (other in EVM_SCHEMES) == (scheme in EVM_SCHEMES):
            body = {**answer_to(await ask(http, wallet, other), wallet), "challenge_id": asked["challenge_id"]}
            assert refused(await http.post(VERIFY, json=body)) == "auth.signature_invalid"


@every_scheme
async def test_another_text_is_refused_however_it_was_signed(http: httpx.AsyncClient, scheme: str) -> None:
    wallet = wallet_for(scheme, "alice")
    asked = await ask(http, wallet, scheme)
    shown = asked["message"] or "video.example"
    for other in (shown.replace("video.example", "evil.example"), shown + "\n", "hello", ""):
        body = {"challenge_id": asked["challenge_id"], "signature": wallet.sign(other), "message": other}
        assert refused(await http.post(VERIFY, json=body)) == "auth.message_mismatch"


GARBAGE = ("", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "1" * 64, "1" * 88, "A" * 86 + "==", "ü" * 64, "0" * 1024)


@every_scheme
async def test_no_signature_breaks_the_server(http: httpx.AsyncClient, scheme: str) -> None:
    asked = await ask(http, wallet_for(scheme, "alice"), scheme)
    for signature in GARBAGE:
        body = {"challenge_id": asked["challenge_id"], "signature": signature}
        assert refused(await http.post(VERIFY, json=body)) == "auth.signature_invalid"


@every_scheme
async def test_a_challenge_stays_in_the_browser_that_asked_for_it(http: httpx.AsyncClient, scheme: str) -> None:
    wallet = wallet_for(scheme, "alice")
    asked = await ask(http, wallet, scheme, headers={"Sec-Fetch-Site": "same-origin"})
    number = http.cookies["streamgate_browser"]
    http.cookies.clear()
    assert refused(await verify(http, asked, wallet)) == "auth.challenge_invalid"
    headers = {"Cookie": f"streamgate_browser={number}"}
    assert (await http.post(VERIFY, json=answer_to(asked, wallet), headers=headers)).status_code == 200


async def test_it_is_good_for_five_minutes(home: House) -> None:
    for scheme in SCHEMES:
        clock = FakeClock()
        proofs = _proofs(home, clock)
        wallet = wallet_for(scheme, "alice")
        asked = await proofs.ask(wallet.address, None, scheme)
        body = answer_to({**attrs.asdict(asked.to_sign), "challenge_id": asked.challenge_id}, wallet)
        clock.jump(TTL_S - 0.001)
        await proofs.check(body["challenge_id"], body["signature"], None)
        clock.jump(0.001)
        with pytest.raises(ChallengeExpired):
            await proofs.check(body["challenge_id"], body["signature"], None)


async def test_a_changed_challenge_is_nobodys(home: House) -> None:
    for scheme in SCHEMES:
        asked = await _proofs(home, FakeClock()).ask(wallet_for(scheme, "alice").address, None, scheme)
        for at in (0, 40, -30):
            changed = list(asked.challenge_id)
            changed[at] = "A" if changed[at] != "A" else "B"
            with pytest.raises(ChallengeInvalid):
                await _proofs(home, FakeClock()).check("".join(changed), "0x", None)


def _proofs(home: House, clock: FakeClock) -> Proofs:
    """The plugin's own, with a clock of ours."""
    found: Proofs = home.plugins["auth"].proofs
    return Proofs(keys=found._keys, schemes=found._schemes, origin=found.origin, chains=found._chains, clock=clock)


# --- schemes of other plugins -----------------------------------------------------------------------


@attrs.frozen
class Careless:
    """A stranger's scheme that breaks."""

    name: str = "careless"
    namespace: str = "eip155"

    def ask(self, facts: SigningFacts) -> ToSign:
        return ToSign(message="sign")

    async def verify(self, facts: SigningFacts, signature: str, message: str | None) -> None:
        raise KeyError(facts.address)


async def test_a_scheme_that_breaks_signs_nobody_in(home: House) -> None:
    schemes = Schemes(home.plugins["auth"].proofs._schemes._hooks, {"careless": Careless()})
    facts = SigningFacts(
        address="", chain="", origin="", domain="", statement="", nonce="", issued_at="", expires_at=""
    )
    for name in ("careless", "taken away"):
        with pytest.raises(SignatureInvalid):
            await schemes.verify(name, facts, "", None)
    with pytest.raises(SchemeUnknown):
        schemes.choose(None, "cosmos")
