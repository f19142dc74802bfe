"""Rows B1 to B10: whose wallet this is, and who has come back."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.transaction import Transaction

from streamgate.testing.attacks import attack
from streamgate.testing.wallets import Wallet
from tests.e2e.cast import Cast
from tests.plugins.auth.wallet_contracts import WalletMaker
from tests.security.stage import CHALLENGE, REFRESH, VERIFY, TheChain, answered, asked, new_wallet, newcomer, told

pytestmark = pytest.mark.timeout(180)  # the first one may start the servers

MEMO_PROGRAM = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@attack("B1")
async def test_b01_signature_replay(http: httpx.AsyncClient) -> None:
    """A signature that was seen is sent again, also eight times at once → a challenge is used up by one sign-in."""
    wallet = new_wallet()
    challenge = await asked(http, wallet)
    signature = wallet.sign(challenge["message"])
    tried = await asyncio.gather(*(answered(http, challenge, signature) for _ in range(8)))
    assert sorted(told(each) for each in tried)[:2] == [(200, ""), (401, "auth.challenge_used")]
    assert [each.status_code for each in tried].count(200) == 1
    assert told(await answered(http, challenge, signature)) == (401, "auth.challenge_used")
    fresh = await asked(http, wallet)
    assert told(await answered(http, fresh, signature)) == (401, "auth.signature_invalid")


@attack("B1")
async def test_b01_a_challenge_carried_to_another_browser(cast: Cast, http: httpx.AsyncClient) -> None:
    """A challenge got out of one browser is answered from another → it is bound to the browser's own cookie."""
    wallet = new_wallet()
    answer = await http.post(CHALLENGE, json={"address": wallet.address}, headers=OWN_PAGE)
    challenge = answer.json()
    signature = wallet.sign(challenge["message"])
    async with httpx.AsyncClient(base_url=cast.url, trust_env=False) as elsewhere:
        assert told(await answered(elsewhere, challenge, signature)) == (401, "auth.challenge_invalid")
    assert told(await answered(http, challenge, signature)) == (200, "")


@attack("B2")
async def test_b02_phishing_on_another_domain(http: httpx.AsyncClient) -> None:
    """A false page has a real challenge signed in its own name → domain and URI must be ours, whatever Host says."""
    victim = new_wallet()
    answer = await http.post(CHALLENGE, json={"address": victim.address}, headers={"Host": "evil.example"})
    challenge = answer.json()
    message = challenge["message"]
    assert "evil.example" not in answer.text
    own = challenge["domain"]
    for false in (
        message.replace(f"{own} wants", "evil.example wants"),
        message.replace(f"URI: http://{own}", "URI: http://evil.example"),
        message.replace(f"URI: http://{own}", f"URI: http://{own}@evil.example"),
        message.replace(f"URI: http://{own}", f"URI: http://{own}.evil.example"),
        message.replace(own, "evil.example"),
    ):
        assert false != message
        refused = await answered(http, challenge, victim.sign(false), message=false)
        assert told(refused) == (401, "auth.message_mismatch"), false
        assert told(await answered(http, challenge, victim.sign(false))) == (401, "auth.signature_invalid")
    assert told(await answered(http, challenge, victim.sign(message), message=message)) == (200, "")


@attack("B3")
async def test_b03_what_was_signed_is_written_anew(http: httpx.AsyncClient) -> None:
    """Lines slipped in, doubled, left out or in another order → the exact bytes are parsed strictly and compared."""
    wallet = new_wallet()
    challenge = await asked(http, wallet)
    message: str = challenge["message"]
    lines = message.split("\n")
    nonce = next(line for line in lines if line.startswith("Nonce: "))
    expires = next(line for line in lines if line.startswith("Expiration Time: "))
    for changed in (
        f"{message}\n",
        f"\n{message}",
        message.replace("\n", "\r\n"),
        message.replace(nonce, f"{nonce}\n{nonce}"),
        message.replace(f"\n{expires}", ""),
        message.replace(nonce, f"{nonce}\nNot Before: 2001-01-01T00:00:00Z"),
        f"{message}\nRequest ID: 1",
        f"{message}\nResources:\n- https://evil.example/",
        f"{message}\nRole: admin",
        message.replace(lines[3], f"{lines[3]}\nURI: https://evil.example"),
        message.replace("Version: 1", "Version: 2"),
        message.replace(wallet.address, wallet.address.lower()),
        message.replace("Nonce: ", "Nonce:  "),
    ):
        assert changed != message
        refused = await answered(http, challenge, wallet.sign(changed), message=changed)
        assert told(refused) == (401, "auth.message_mismatch"), changed
    assert told(await answered(http, challenge, wallet.sign(message), message=message)) == (200, "")


@attack("B4")
async def test_b04_another_chain(cast: Cast, http: httpx.AsyncClient) -> None:
    """Sign in for a chain that nobody configured, or sign for another one → CAIP-2 ids of an allow list, compared."""
    wallet = new_wallet()
    for chain in ("eip155:1", "eip155:056", "eip155:0", "eip155:31337 ", "solana:mainnet", "cosmos:hub-4"):
        refused = await http.post(CHALLENGE, json={"address": wallet.address, "chain": chain})
        assert told(refused)[0] == 422, (chain, refused.text)
    challenge = await asked(http, wallet, chain=cast.ids["chain"])
    other = re.sub(r"Chain ID: \d+", "Chain ID: 1", challenge["message"])
    refused = await answered(http, challenge, wallet.sign(other), message=other)
    assert told(refused) == (401, "auth.message_mismatch")
    assert told(await answered(http, challenge, wallet.sign(challenge["message"]))) == (200, "")


@attack("B5")
async def test_b05_a_permit_for_a_sign_in(http: httpx.AsyncClient) -> None:
    """A type that moves money, signed blindly, or types that the caller sends → our own type and domain alone."""
    wallet = new_wallet()
    challenge = await asked(http, wallet, scheme="eip712")
    ours = challenge["typed_data"]
    assert set(ours["types"]) == {"EIP712Domain", ours["primaryType"]}
    assert {field["type"] for field in ours["types"][ours["primaryType"]]} == {"string"}
    permit = {
        "types": {
            "EIP712Domain": ours["types"]["EIP712Domain"],
            "Permit": [{"name": "spender", "type": "address"}, {"name": "nonce", "type": "string"}],
        },
        "primaryType": "Permit",
        "domain": ours["domain"],
        "message": {"spender": wallet.address, "nonce": ours["message"]["nonce"]},
    }
    elsewhere = {**ours, "domain": {**ours["domain"], "name": "Another"}}
    for false in (permit, elsewhere):
        signature = (
            "0x" + bytes(Account.sign_message(encode_typed_data(full_message=false), wallet.key).signature).hex()
        )
        assert told(await answered(http, challenge, signature)) == (401, "auth.signature_invalid")
        assert told(await answered(http, challenge, signature, typed_data=false))[0] == 422
    assert told(await answered(http, challenge, typed_signature(wallet, ours))) == (200, "")


def typed_signature(wallet: Wallet, typed_data: dict[str, Any]) -> str:
    signed = Account.sign_message(encode_typed_data(full_message=typed_data), wallet.key)
    return "0x" + bytes(signed.signature).hex()


@attack("B6")
async def test_b06_a_contract_that_accepts_everything(http: httpx.AsyncClient, chain: TheChain) -> None:
    """It signs in for somebody else, and goes on when it takes its word back → it is itself alone, asked each time."""
    maker, victim, owner, heir = WalletMaker(chain.client), new_wallet(), new_wallet(), new_wallet()
    says_yes = maker.deploy("SaysYes")
    challenge = await asked(http, victim)
    assert told(await answered(http, challenge, f"0x{says_yes[2:].lower():0>130}"))[0] == 401
    wallet = maker.threshold([owner], 1)
    challenge = await asked(http, wallet, chain=chain.client.chain)
    begun = await answered(http, challenge, wallet.sign(challenge["message"]))
    assert (begun.status_code, begun.json()["address"], begun.json()["is_contract"]) == (200, wallet.address, True)
    kept = await http.post(REFRESH, json={"refresh_token": begun.json()["refresh_token"]})
    assert told(kept) == (200, "")
    maker.swap_owner(wallet, owner, heir)
    lost = await http.post(REFRESH, json={"refresh_token": kept.json()["refresh_token"]})
    assert told(lost) == (401, "auth.wallet_refused")


@attack("B7")
async def test_b07_the_twin_of_a_signature(http: httpx.AsyncClient) -> None:
    """High s, odd v, zeroes that recover to 0x0, lengths → one form of each signature is taken, and 0x0 is nobody."""
    wallet = new_wallet()
    challenge = await asked(http, wallet)
    good = wallet.sign(challenge["message"])[2:]
    r, s, v = good[:64], int(good[64:128], 16), int(good[128:], 16)
    twin = f"0x{r}{CURVE_ORDER - s:064x}{55 - v:02x}"
    forms = [twin, *(f"0x{good[:128]}{each:02x}" for each in (2, 26, 29, 35, 255)), f"0x{'00' * 65}", f"0x{good}00"]
    for form in forms:
        refused = await answered(http, challenge, form)
        assert told(refused) in {(401, "auth.signature_invalid"), (422, "request.invalid")}, form
    nobody = await http.post(CHALLENGE, json={"address": f"0x{'00' * 20}"})
    if nobody.is_success:
        assert told(await answered(http, nobody.json(), f"0x{'00' * 64}1b"))[0] == 401
    assert told(await answered(http, challenge, f"0x{good}")) == (200, "")


@attack("B8")
async def test_b08_a_memo_transaction_for_a_sign_in(http: httpx.AsyncClient) -> None:
    """A transaction's signature, its memo our message, stands in for the message's → no transaction is a sign-in."""
    payer = Keypair()
    challenge = (await http.post(CHALLENGE, json={"address": str(payer.pubkey())})).json()
    memo = Instruction(Pubkey.from_string(MEMO_PROGRAM), challenge["message"].encode(), [])
    signed = Transaction.new_signed_with_payer([memo], payer.pubkey(), [payer], Hash.default())
    assert told(await answered(http, challenge, str(signed.signatures[0]))) == (401, "auth.signature_invalid")
    assert told(await answered(http, challenge, str(payer.sign_message(challenge["message"].encode())))) == (200, "")


@attack("B9")
async def test_b09_cookie_theft_forgery_and_fixation(cast: Cast, http: httpx.AsyncClient) -> None:
    """Read it by script, use it from another site, plant one → HttpOnly, SameSite, Origin checked, new at sign-in."""
    wallet = new_wallet()
    planted = "r1.a_planted.1." + "A" * 43
    challenge = await asked(http, wallet)
    body = {"challenge_id": challenge["challenge_id"], "signature": wallet.sign(challenge["message"]), "cookie": True}
    evil = {"Origin": "https://evil.example"}
    async with httpx.AsyncClient(base_url=cast.url, trust_env=False) as page:
        page.cookies.set("streamgate_refresh", planted, domain="127.0.0.1", path="/api/v1/auth")
        assert told(await page.post(VERIFY, json=body, headers=evil)) == (403, "auth.forbidden")
        begun = await page.post(VERIFY, json=body, headers={"Origin": cast.url})
        said = begun.headers["set-cookie"]
        value = said.partition("=")[2].partition(";")[0]
        assert begun.json().get("refresh_token") is None
        assert value not in ("", planted)
        assert {"httponly", "samesite=strict", "path=/api/v1/auth"} <= {
            each.strip().lower() for each in said.split(";")
        }
        page.cookies.clear()
        cookie = {"Cookie": f"streamgate_refresh={value}"}
        for path in (REFRESH, "/api/v1/auth/logout"):
            assert told(await page.post(path, json={}, headers={**cookie, **evil})) == (403, "auth.forbidden")
        assert (await page.get("/api/v1/auth/sessions", headers=cookie)).status_code == 401
        honest = await page.post(REFRESH, json={}, headers={**cookie, "Origin": cast.url})
        assert told(honest) == (200, "")
        assert value not in honest.headers["set-cookie"]


@attack("B10")
async def test_b10_a_stolen_refresh_token(http: httpx.AsyncClient) -> None:
    """A thief trades a copy after the owner did → each is good once, and the second use ends the whole sign-in."""
    _, person = await newcomer(http)
    first = await http.post(REFRESH, json={"refresh_token": person.refresh_token})
    assert told(first) == (200, "")
    thief = await http.post(REFRESH, json={"refresh_token": person.refresh_token})
    assert told(thief) == (401, "auth.refresh_reused")
    assert told(await http.post(REFRESH, json={"refresh_token": first.json()["refresh_token"]}))[0] == 401
    state = await http.post("/api/v1/auth/verify-token", json={"token": first.json()["access_token"]})
    assert (state.json()["valid"], state.json()["reason"]) == (False, "revoked")
