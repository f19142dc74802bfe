"""What an attacker and the honest person beside them do at a running server."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import attrs
import httpx

from streamgate.testing.devchain import ChainClient
from streamgate.testing.wait import eventually
from streamgate.testing.wallets import SignedIn, Wallet, sign_in
from streamgate_auth.evm.measure import address_word, number_word
from tests.e2e.cast import Cast
from tests.e2e.shared import DELEGATE_REGISTRY, DoubtfulChain

CHALLENGE = "/api/v1/auth/challenge"
VERIFY = "/api/v1/auth/verify-signature"
REFRESH = "/api/v1/auth/refresh"
SESSION = "/api/v1/stream/session"
REGISTRY = Path(__file__).parents[1] / "plugins/auth/contracts/Registry.json"


def new_wallet() -> Wallet:
    return Wallet(os.urandom(32))


async def newcomer(http: httpx.AsyncClient) -> tuple[Wallet, SignedIn]:
    """Somebody nobody knows yet, signed in."""
    wallet = new_wallet()
    return wallet, await sign_in(http, wallet)


async def asked(http: httpx.AsyncClient, wallet: Any, **more: Any) -> dict[str, Any]:
    """A challenge for this wallet. `more`: `scheme`, `chain`."""
    answer = await http.post(CHALLENGE, json={"address": wallet.address, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def answered(http: httpx.AsyncClient, challenge: dict[str, Any], signature: str, **more: Any) -> httpx.Response:
    body = {"challenge_id": challenge["challenge_id"], "signature": signature, **more}
    return await http.post(VERIFY, json=body)


def told(answer: httpx.Response) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, "" if answer.is_success else answer.json()["code"]


# --- contents and chains --------------------------------------------------------------------------


async def gate(cast: Cast, http: httpx.AsyncClient, rule: dict[str, Any]) -> str:
    """The creator's video, for whom this rule lets in from now on; its id."""
    video_id = str(cast.ids["video_id"])
    set_ = await http.put(f"/api/v1/content/{video_id}/gate", json=rule, headers=cast.headers("creator"))
    assert set_.status_code == 200, set_.text
    return video_id


def holders(cast: Cast, **more: Any) -> dict[str, Any]:
    """The rule: holders of the demo collection, or as `more` says."""
    return {"erc721": {"chain": cast.ids["chain"], "contract": cast.ids["contract"], **more}}


async def gated_video(cast: Cast, http: httpx.AsyncClient) -> str:
    return await gate(cast, http, holders(cast))


async def minted(http: httpx.AsyncClient, address: str) -> str:
    made = await http.post("/api/v1/devchain/mint", json={"address": address})
    made.raise_for_status()
    return str(made.json()["token_id"])


async def opened(http: httpx.AsyncClient, video_id: str, who: SignedIn | None, client_id: str = "a") -> httpx.Response:
    body = {"content_id": video_id, "client_id": client_id}
    return await http.post(SESSION, json=body, headers=who.headers if who else {})


async def becomes(http: httpx.AsyncClient, video_id: str, who: SignedIn, *wanted: tuple[int, str]) -> httpx.Response:
    """Opens until it is answered so: what was read of a chain is kept until its watcher tells of a change, or for some
    seconds."""

    async def ask() -> httpx.Response | None:
        answer = await opened(http, video_id, who)
        return answer if told(answer) in wanted else None

    return await eventually(ask, timeout_s=15, every_s=0.05, what=f"one of {wanted}")


@attrs.frozen
class Registry:
    """The delegate registry where the second chain is told that it is. Wallets delegate all that they have."""

    client: ChainClient

    def delegate(self, vault: str, to: str) -> None:
        everything = 1
        self._act(vault, "0xadf90f7b", number_word(everything), address_word(to), *[number_word(0)] * 4)

    def revoke(self, vault: str, to: str) -> None:
        self._act(vault, "0x74a8f103", address_word(to))

    def _act(self, sender: str, selector: str, *words: str) -> None:
        self.client.call("anvil_setBalance", sender, hex(10**18))
        self.client.call("anvil_impersonateAccount", sender)
        self.client._sent({"from": sender, "to": DELEGATE_REGISTRY, "data": selector + "".join(words)})


@attrs.frozen
class TheChain:
    """The local chain, as somebody with an account there has it; and the second one, whose nodes may be bent."""

    client: ChainClient
    doubtful: DoubtfulChain
    rpc_url: str

    def heal(self) -> None:
        """Its nodes are well again."""
        self.doubtful.stand_before(self.rpc_url)

    def calls(self) -> int:
        """Reads that its nodes were asked for so far."""
        return sum(node.methods().count("eth_call") for node in self.doubtful.nodes)

    def mine(self, blocks: int) -> None:
        self.client.call("anvil_mine", hex(blocks))

    def deployed(self, code: str) -> str:
        """The address of a contract made with this code."""
        receipt = self.client._sent({"from": self.client.call("eth_accounts")[3], "data": code})
        return str(receipt["contractAddress"])

    def registry(self) -> Registry:
        made = self.deployed(json.loads(REGISTRY.read_text())["bytecode"]["TestRegistry"])
        self.client.call("anvil_setCode", DELEGATE_REGISTRY, self.client.call("eth_getCode", made, "latest"))
        return Registry(self.client)

    def returning(self, word: int) -> str:
        """A contract that returns this word, whatever is called."""
        body = f"7f{word:064x}60005260206000f3"
        size = len(body) // 2
        return self.deployed(f"0x60{size:02x}600c60003960{size:02x}6000f3{body}")

    def with_metadata_at(self, address: str) -> str:
        """A contract whose `tokenURI` is this, and which says 1 to all else, and nothing of what it is."""
        text = address.encode()
        said = (32).to_bytes(32) + len(text).to_bytes(32) + text.ljust(-(-len(text) // 32) * 32, b"\0")
        size = f"{len(said):04x}"
        code = (
            "60003560e01c"  # the selector
            "806301ffc9a714603257"  # supportsInterface: on at 0x32
            "63c87b56dd14602357"  # tokenURI: on at 0x23
            "600160005260206000f3"  # all else: 1
            f"5b61{size}603760003961{size}6000f3"  # 0x23: what lies at 0x37
            "5b600080fd"  # 0x32: it says nothing of itself
        )
        body = code + said.hex()
        length = f"{len(body) // 2:04x}"
        return self.deployed(f"0x61{length}600e60003961{length}6000f3{body}")
