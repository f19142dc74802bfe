"""Where gates are asked about a real chain, with contracts of the test's own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from streamgate.contracts.gate import Explanation, Rule
from streamgate.sdk.clock import SystemClock
from streamgate.testing.devchain import ChainClient
from streamgate.testing.house import House
from streamgate.testing.nodes import FaultyNode
from streamgate_auth.evm.measure import address_word, number_word
from streamgate_auth.gate.gates import Gates
from tests.plugins.auth.people import Person, content_of, set_gate

CONTRACTS = Path(__file__).parents[1] / "contracts"
MINT, MINT_ITEM = "0x40c10f19", "0x156e29f6"  # mint(address,uint256), mint(address,uint256,uint256)


@cache
def bytecode(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((CONTRACTS / f"{name}.json").read_text())["bytecode"]
    return found


@attrs.frozen
class Ground:
    """A house on the run's chain, an owner of contents, and contracts of this test's own."""

    home: House
    owner: Person
    chain: ChainClient
    node: FaultyNode
    registry: str

    async def explain(self, rule: Rule, who: Person) -> Explanation:
        """What such a gate would say of somebody, as its owner is told."""
        gates: Gates = self.home.plugins["auth"].gate.gates
        return (await gates.try_rule(rule, self.owner.actor, who.wallet.address)).explanation

    async def warnings(self, rule: Rule) -> tuple[str, ...]:
        content_id = await content_of(self.home, self.owner.actor)
        return (await set_gate(self.home, self.owner.actor, content_id, rule)).warnings

    def deploy(self, source: str, name: str, *words: str) -> str:
        return deploy(self.chain, source, name, *words)

    def act(self, sender: str, to: str, selector: str, *words: str) -> None:
        self.chain.call("anvil_setBalance", sender, hex(10**18))
        self.chain.call("anvil_impersonateAccount", sender)
        self.chain._sent({"from": sender, "to": to, "data": selector + "".join(words)})

    def mint(self, contract: str, to: str, *numbers: int) -> None:
        selector = MINT_ITEM if len(numbers) == 2 else MINT
        self.act(self.chain.call("eth_accounts")[1], contract, selector, address_word(to), *map(number_word, numbers))

    def later(self, by_s: float) -> None:
        """From now on, for what the gate asks of chains."""
        self.home.plugins["auth"].chains._clock = Later(by_s)


class Later(SystemClock):
    """The machine's clock, ahead of itself."""

    def __init__(self, by_s: float) -> None:
        self._by_s = by_s

    def now_s(self) -> float:
        return super().now_s() + self._by_s


class Forgetful(FaultyNode):
    """Keeps the states of the newest block alone."""

    is_archive = True

    def _refused(self, question: dict[str, Any], head: int) -> dict[str, Any] | None:
        block = self._block(question)
        is_state = question["method"] != "eth_getBlockByNumber" and block.startswith("0x")
        if is_state and not self.is_archive and int(block, 16) < self._head():
            return {"error": {"code": -32000, "message": "missing trie node"}}
        return super()._refused(question, head)


def deploy(chain: ChainClient, source: str, name: str, *words: str) -> str:
    data = bytecode(source)[name] + "".join(words)
    address: str = chain._sent({"from": chain.call("eth_accounts")[1], "data": data})["contractAddress"]
    return address


def rule(kind: str, chain: ChainClient, contract: str | None, **more: Any) -> Rule:
    return {kind: {"chain": chain.chain, **({} if contract is None else {"contract": contract}), **more}}
