"""One's own account: where one is signed in, and which wallets are one's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import delete

from streamgate.context import Actor
from streamgate.contracts.audit import AUDITED, AuditEntry
from streamgate.contracts.auth import ACCOUNTS, AddressesQuery, WalletsQuery
from streamgate.contracts.events import AUTH_SESSION_ENDED, PEOPLE_CHANGED, PeopleChanged, SignInEnded
from streamgate.errors import Invalid
from streamgate.events import Received, on_group
from streamgate.sdk.ids import uuid7
from streamgate.testing.house import House, house
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import Wallet
from streamgate_auth.gate.known import KEPT_S
from streamgate_auth.tables import WalletRow
from tests.plugins.auth.people import (
    SCHEMES,
    SolanaWallet,
    actor_of,
    answer_to,
    ask,
    content_of,
    kernel_settings,
    set_gate,
    sign_in_by,
    until,
    wallet_for,
)

ALICE, SECOND, BOB, CAROL = (Wallet.named(name) for name in ("alice", "alice's second", "bob", "carol"))
SOLANA = SolanaWallet.named("alice")
PREFIX = "/api/v1/auth"


@attrs.define
class Heard:
    """What others hear of auth."""

    ended: list[SignInEnded] = attrs.field(factory=list)
    audit: list[AuditEntry] = attrs.field(factory=list)
    changed: list[PeopleChanged] = attrs.field(factory=list)

    async def on_ended(self, event: Received[SignInEnded]) -> None:
        self.ended.append(event.body)

    async def on_audited(self, event: Received[AuditEntry]) -> None:
        self.audit.append(event.body)

    async def on_changed(self, event: Received[PeopleChanged]) -> None:
        self.changed.append(event.body)

    def acts(self) -> list[tuple[str, str]]:
        return [(entry.act, entry.who) for entry in self.audit if entry.act != "http"]


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def home(tmp_path: Any, heard: Heard) -> AsyncIterator[House]:
    subscriptions = [
        on_group(AUTH_SESSION_ENDED, heard.on_ended, group="tests"),
        on_group(AUDITED, heard.on_audited, group="tests"),
        on_group(PEOPLE_CHANGED, heard.on_changed, group="tests"),
    ]
    settings = kernel_settings(tmp_path)
    async with house(tmp_path, ["metadata", "auth"], settings=settings, subscriptions=subscriptions) as home:
        yield home


async def link(client: httpx.AsyncClient, wallet: Any, scheme: str) -> httpx.Response:
    body = {"address": wallet.address, "scheme": scheme}
    asked = (await client.post(f"{PREFIX}/wallets/challenge", json=body)).json()
    return await client.post(f"{PREFIX}/wallets", json=answer_to(asked, wallet))


def reason(answer: httpx.Response) -> str:
    """Why a proof was refused. Never 401: the person is signed in."""
    found = answer.json()
    assert (answer.status_code, found["code"]) == (422, "auth.proof_refused")
    why: str = found["reason"]
    return why


async def items(client: httpx.AsyncClient, what: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{PREFIX}/{what}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


# --- sign-ins ---------------------------------------------------------------------------------------


async def test_sign_ins_are_listed_and_ended_one_by_one(home: House, http: httpx.AsyncClient, heard: Heard) -> None:
    http.headers["User-Agent"] = "Phone" + "x" * 300
    phone, laptop = actor_of(await sign_in_by(http, ALICE, "siwe")), await sign_in_by(http, ALICE, "eip712")
    other = actor_of(await sign_in_by(http, BOB, "siwe"))
    async with home.client(actor_of(laptop)) as me:
        listed = await items(me, "sessions")
        by_id = {each["session_id"]: each for each in listed}
        assert set(by_id) == {phone.credential, actor_of(laptop).credential}
        assert [each["current"] for each in listed].count(True) == 1
        assert by_id[actor_of(laptop).credential]["current"]
        assert by_id[phone.credential]["user_agent"] == "Phone" + "x" * 195
        assert by_id[actor_of(laptop).credential]["scheme"] == "eip712"
        for somebody_elses in (other.credential, "a_unknown"):
            answer = await me.delete(f"{PREFIX}/sessions/{somebody_elses}")
            assert (answer.status_code, answer.json()["code"]) == (404, "auth.session_not_found")
        assert (await me.delete(f"{PREFIX}/sessions/{phone.credential}")).status_code == 204
        assert (await me.delete(f"{PREFIX}/sessions/{phone.credential}")).status_code == 404
        assert [each["session_id"] for each in await items(me, "sessions")] == [actor_of(laptop).credential]
    await until(lambda: len(heard.ended) == 1)
    assert heard.ended == [
        SignInEnded(subject_id=phone.credential, revision=1, user_id=phone.user_id, reason="revoked")
    ]
    await until(lambda: ("auth.session_revoked", phone.user_id) in heard.acts())
    assert heard.acts().count(("auth.signed_in", phone.user_id)) == 2


async def test_a_sign_in_has_the_name_its_person_gives_it(home: House, http: httpx.AsyncClient) -> None:
    mine, other = [actor_of(await sign_in_by(http, wallet, "siwe")) for wallet in (ALICE, BOB)]
    path = f"{PREFIX}/sessions/{mine.credential}"
    async with home.client(mine) as me:
        assert [each["name"] for each in await items(me, "sessions")] == [""]
        for name in ("The tablet in the kitchen", ""):
            assert (await me.put(path, json={"name": name})).status_code == 204
            assert [each["name"] for each in await items(me, "sessions")] == [name]
        for wrong in ("x" * 101, "two\nlines", None):
            assert (await me.put(path, json={"name": wrong})).status_code == 422
        assert (await me.delete(path)).status_code == 204
        gone = await me.put(path, json={"name": "x"})
    async with home.client(other) as them:
        not_theirs = await them.put(path, json={"name": "x"})
    for answer in (gone, not_theirs):
        assert (answer.status_code, answer.json()["code"]) == (404, "auth.session_not_found")


async def test_logging_out_everywhere_ends_all_of_ones_own(home: House, http: httpx.AsyncClient, heard: Heard) -> None:
    mine = [await sign_in_by(http, ALICE, "siwe") for _ in range(3)]
    other = await sign_in_by(http, BOB, "siwe")
    body = {"refresh_token": mine[0]["refresh_token"], "everywhere": True}
    assert (await http.post(f"{PREFIX}/logout", json=body)).status_code == 204
    for signed_in in mine:
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": signed_in["refresh_token"]})
        assert answer.status_code == 401
    assert (await http.post(f"{PREFIX}/refresh", json={"refresh_token": other["refresh_token"]})).status_code == 200
    again = await sign_in_by(http, ALICE, "siwe")
    # A token of a sign-in that is over ends nothing more.
    assert (await http.post(f"{PREFIX}/logout", json=body)).status_code == 204
    assert (await http.post(f"{PREFIX}/refresh", json={"refresh_token": again["refresh_token"]})).status_code == 200
    await until(lambda: len(heard.ended) == 3)
    assert {each.reason for each in heard.ended} == {"logged_out"}


async def test_a_reused_refresh_token_is_told(http: httpx.AsyncClient, heard: Heard) -> None:
    signed_in = await sign_in_by(http, ALICE, "siwe")
    for status in (200, 401):
        answer = await http.post(f"{PREFIX}/refresh", json={"refresh_token": signed_in["refresh_token"]})
        assert answer.status_code == status
    await until(lambda: [each.reason for each in heard.ended] == ["refresh_reused"])
    await until(lambda: ("auth.refresh_reused", signed_in["user_id"]) in heard.acts())


async def test_verify_token_says_what_is_wrong(home: House, http: httpx.AsyncClient) -> None:
    signed_in = await sign_in_by(http, ALICE, "siwe")

    async def word(token: str) -> dict[str, Any]:
        answer = await http.post(f"{PREFIX}/verify-token", json={"token": token})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    token = signed_in["access_token"]
    good = await word(token)
    assert (good["valid"], good["subject"], good["audience"]) == (True, signed_in["user_id"], "streamgate:access")
    assert (good["roles"], good["reason"]) == (["viewer"], None)
    assert good["expires_at"].endswith("Z")
    head, claims, signature = token.split(".")
    assert (await word("garbage"))["reason"] == "malformed"
    flipped = ("A" if claims[5] != "A" else "B").join((claims[:5], claims[6:]))
    bad = await word(f"{head}.{flipped}.{signature}")
    assert (bad["valid"], bad["reason"], bad["subject"]) == (False, "invalid", None)
    assert not (await word(signed_in["refresh_token"]))["valid"]
    await http.post(f"{PREFIX}/logout", json={"refresh_token": signed_in["refresh_token"]})
    over = await word(token)
    assert (over["valid"], over["reason"], over["subject"]) == (False, "revoked", signed_in["user_id"])


# --- wallets ----------------------------------------------------------------------------------------


async def test_wallets_are_linked_by_their_signatures(home: House, http: httpx.AsyncClient, heard: Heard) -> None:
    me = actor_of(await sign_in_by(http, ALICE, "siwe"))
    wallets = {scheme: wallet_for(scheme, f"another for {scheme}") for scheme in SCHEMES}
    async with home.client(me) as client:
        for scheme, wallet in wallets.items():
            answer = await link(client, wallet, scheme)
            assert answer.status_code == 201, answer.text
            assert (answer.json()["address"], answer.json()["primary"]) == (wallet.address, False)
        listed = [each["address"] for each in await items(client, "wallets")]
        assert listed == [ALICE.address, *(wallet.address for wallet in wallets.values())]
    for scheme, wallet in wallets.items():
        assert (await sign_in_by(http, wallet, scheme))["user_id"] == me.user_id
    await until(lambda: heard.acts().count(("auth.wallet_linked", me.user_id)) == len(SCHEMES))


async def test_a_linking_signature_signs_nobody_in_nor_the_other_way_round(
    home: House, http: httpx.AsyncClient
) -> None:
    me, other = [actor_of(await sign_in_by(http, wallet, "siwe")) for wallet in (ALICE, BOB)]
    async with home.client(me) as client, home.client(other) as bobs:
        asked = (await client.post(f"{PREFIX}/wallets/challenge", json={"address": SECOND.address})).json()
        assert f"Link this wallet to the StreamGate account {me.user_id}" in asked["message"]
        body = answer_to(asked, SECOND)
        answer = await http.post(f"{PREFIX}/verify-signature", json=body)
        assert (answer.status_code, answer.json()["code"]) == (401, "auth.challenge_invalid")
        assert reason(await bobs.post(f"{PREFIX}/wallets", json=body)) == "auth.challenge_invalid"
        plain = (await http.post(f"{PREFIX}/challenge", json={"address": SECOND.address})).json()
        answer = await client.post(f"{PREFIX}/wallets", json=answer_to(plain, SECOND))
        assert reason(answer) == "auth.challenge_invalid"
        wrong = await client.post(f"{PREFIX}/wallets", json={**body, "signature": ALICE.sign(asked["message"])})
        assert reason(wrong) == "auth.signature_invalid"
        answers = await asyncio.gather(*(client.post(f"{PREFIX}/wallets", json=body) for _ in range(3)))
        assert sorted(answer.status_code for answer in answers) == [201, 422, 422]


async def test_somebody_elses_wallet_is_not_taken(home: House, http: httpx.AsyncClient) -> None:
    me, _ = [actor_of(await sign_in_by(http, wallet, "siwe")) for wallet in (ALICE, BOB)]
    async with home.client(me) as client:
        answer = await link(client, BOB, "siwe")
        assert (answer.status_code, answer.json()["code"]) == (409, "auth.wallet_taken")
        assert (await link(client, ALICE, "siwe")).status_code == 201  # one's own: nothing changes
        assert len(await items(client, "wallets")) == 1


async def test_the_primary_wallet_is_chosen_and_the_last_one_stays(home: House, http: httpx.AsyncClient) -> None:
    me = actor_of(await sign_in_by(http, ALICE, "siwe"))
    stranger = actor_of(await sign_in_by(http, BOB, "siwe"))
    async with home.client(me) as client:
        for wallet, scheme in ((SECOND, "eip712"), (SOLANA, "siws")):
            assert (await link(client, wallet, scheme)).status_code == 201
        assert (await client.put(f"{PREFIX}/wallets/{SOLANA.address}/primary")).status_code == 204
        assert (await items(client, "wallets"))[0]["address"] == SOLANA.address
        found = await home.services.get(ACCOUNTS).wallets_of(WalletsQuery(user_ids=("nobody", me.user_id)))
        assert [person.addresses[:1] for person in found.people] == [(), (SOLANA.address,)]
        for path in (f"wallets/{BOB.address}", "wallets/0x12"):
            assert (await client.delete(f"{PREFIX}/{path}")).status_code in (404, 422)
            assert (await client.put(f"{PREFIX}/{path}/primary")).status_code in (404, 422)
        theirs = await sign_in_by(http, SECOND, "siwe")
        assert (await client.delete(f"{PREFIX}/wallets/{SOLANA.address}")).status_code == 204
        assert (await items(client, "wallets"))[0]["address"] == ALICE.address
        assert (await client.delete(f"{PREFIX}/wallets/{SECOND.address.lower()}")).status_code == 204
        answer = await client.delete(f"{PREFIX}/wallets/{ALICE.address}")
        assert (answer.status_code, answer.json()["code"]) == (409, "auth.last_wallet")
    # What was signed in with it is over, and it is a stranger's from now on.
    refreshed = await http.post(f"{PREFIX}/refresh", json={"refresh_token": theirs["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await sign_in_by(http, SECOND, "siwe"))["user_id"] not in (me.user_id, stranger.user_id)


async def test_whose_a_wallet_is_is_told_with_all_of_theirs(home: House, http: httpx.AsyncClient) -> None:
    me, other = [actor_of(await sign_in_by(http, wallet, "siwe")) for wallet in (ALICE, BOB)]
    async with home.client(me) as client:
        assert (await link(client, SOLANA, "siws")).status_code == 201
    accounts = home.services.get(ACCOUNTS)

    async def who_has(*addresses: str) -> dict[str, tuple[str, ...]]:
        answer = await accounts.who_has(AddressesQuery(addresses=addresses))
        return {each.user_id: each.addresses for each in answer.people}

    mine = {me.user_id: (ALICE.address, SOLANA.address)}
    assert await who_has(SOLANA.address, SECOND.address) == await who_has(ALICE.address, SOLANA.address) == mine
    assert await who_has(ALICE.address, BOB.address) == {**mine, other.user_id: (BOB.address,)}
    assert await who_has(SECOND.address) == await who_has() == {}
    with pytest.raises(Invalid):
        await who_has(*[ALICE.address] * 201)


async def test_nobody_and_no_api_key_manages_an_account(home: House) -> None:
    key = Actor(kind="user", user_id="p_1", roles=("admin", "viewer"), credential="k_1", scopes=("admin",))
    routes = [
        ("GET", "sessions", None),
        ("DELETE", "sessions/a_1", None),
        ("GET", "wallets", None),
        ("POST", "wallets/challenge", {"address": ALICE.address}),
        ("POST", "wallets", {"challenge_id": "x", "signature": "x"}),
        ("PUT", f"wallets/{ALICE.address}/primary", None),
        ("DELETE", f"wallets/{ALICE.address}", None),
        ("GET", "api-keys", None),
        ("POST", "api-keys", {"name": "more"}),
        ("DELETE", "api-keys/k_1", None),
    ]
    async with home.client() as nobody, home.client(key) as by_key:
        for method, path, body in routes:
            answer = await nobody.request(method, f"{PREFIX}/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (401, "auth.required"), path
            answer = await by_key.request(method, f"{PREFIX}/{path}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.key_not_allowed"), path


# --- what is told of it -----------------------------------------------------------------------------


async def test_whoever_sets_a_gate_is_told_by_name_and_role(home: House, heard: Heard) -> None:
    owner = Actor(kind="user", user_id="p_owner", roles=("creator",))
    moderator = Actor(kind="user", user_id="p_moderator", roles=("moderator",))
    content_id = await content_of(home, owner, {"public": {}})
    await set_gate(home, moderator, content_id, None)
    await set_gate(home, moderator, content_id, None)  # nothing changes, so nothing is told
    await until(lambda: len([entry for entry in heard.audit if entry.act == "gate.set"]) == 2)
    told = [entry for entry in heard.audit if entry.act == "gate.set"]
    assert [(entry.subject_id, entry.who, entry.detail["as"], entry.detail["gate"]) for entry in told] == [
        (f"content:{content_id}", "p_owner", "owner", '{"public":{}}'),
        (f"content:{content_id}", "p_moderator", "moderator", ""),
    ]


async def test_whoevers_wallets_or_invitations_change_is_named_to_who_plays_for_them(
    home: House, http: httpx.AsyncClient, heard: Heard
) -> None:
    owner, guest, other = [actor_of(await sign_in_by(http, wallet, "siwe")) for wallet in (BOB, ALICE, CAROL)]
    content_id = await content_of(home, owner, {"invitation": {"campaign": "friends"}})
    wanted = {"content_id": content_id, "campaign": "friends", "uses": 2}
    async with home.client(attrs.evolve(owner, roles=("creator",))) as owners, home.client(guest) as client:
        (made,) = (await owners.post("/api/v1/gates/invitations", json=wanted)).json()["items"]
        (unused,) = (await owners.post("/api/v1/gates/invitations", json=wanted)).json()["items"]
        async with home.client(other) as others:
            for each in (client, others):
                assert (await each.post("/api/v1/gates/redeem", json={"code": made["code"]})).status_code == 200
        for each in (unused, made, made):
            path = f"/api/v1/gates/invitations/{each['invitation_id']}"
            assert (await owners.delete(path)).status_code == 204
        assert (await link(client, SECOND, "siwe")).status_code == 201
        assert (await link(client, SECOND, "siwe")).status_code == 201
        assert (await client.delete(f"{PREFIX}/wallets/{SECOND.address}")).status_code == 204
    await until(lambda: len(heard.changed) == 3)
    told = [(each.subject_id, set(each.user_ids)) for each in sorted(heard.changed, key=lambda each: each.revision)]
    invited = (made["invitation_id"], {guest.user_id, other.user_id})
    assert told == [invited, *[(guest.user_id, {guest.user_id})] * 2]


async def test_what_is_kept_of_somebody_is_forgotten_when_another_process_says_so(
    home: House, http: httpx.AsyncClient
) -> None:
    me = actor_of(await sign_in_by(http, ALICE, "siwe"))
    known, db = home.plugins["auth"].gate.known, home.plugins["auth"].db
    assert (await known.of([], [me.user_id])).wallets == {me.user_id: (ALICE.address,)}
    await db.write(lambda session: session.execute(delete(WalletRow)))
    told = PeopleChanged(subject_id=me.user_id, revision=1, user_ids=(me.user_id,))
    await home.events.publish(PEOPLE_CHANGED, told, event_id=uuid7())

    async def is_forgotten() -> bool | None:
        return (await known.of([], [me.user_id])).wallets == {me.user_id: ()} or None

    await eventually(is_forgotten, timeout_s=KEPT_S / 2, every_s=0.005, what="the other's word")


async def test_nothing_secret_is_told(home: House, http: httpx.AsyncClient, heard: Heard) -> None:
    signed_in = await sign_in_by(http, ALICE, "siwe")
    async with home.client(actor_of(signed_in)) as client:
        made = (await client.post(f"{PREFIX}/api-keys", json={"name": "server"})).json()
        await client.delete(f"{PREFIX}/api-keys/{made['key_id']}")
    await until(lambda: ("auth.api_key_revoked", signed_in["user_id"]) in heard.acts())
    told = repr(heard)
    for secret in (made["api_key"], signed_in["access_token"], signed_in["refresh_token"]):
        assert secret not in told


async def test_answers_to_challenges_are_counted_by_scheme(http: httpx.AsyncClient) -> None:
    def count(outcome: str) -> float:
        return (
            REGISTRY.get_sample_value("streamgate_auth_sign_ins_total", {"scheme": "siws", "outcome": outcome}) or 0.0
        )

    done, wrong = count("done"), count("auth.signature_invalid")
    asked = await ask(http, SOLANA, "siws")
    stranger = SolanaWallet.named("stranger")
    for wallet in (stranger, SOLANA):
        await http.post(f"{PREFIX}/verify-signature", json=answer_to(asked, wallet))
    assert (count("done"), count("auth.signature_invalid")) == (done + 1, wrong + 1)
