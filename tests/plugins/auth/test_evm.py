"""Reading a chain by nodes that lag, hang, flood or fall over: an answer, or `unknown`, never a wrong one.

The nodes are scripts here, which answer single calls; `evm/test_nodes.py` has real ones, which gather.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import httpx
import orjson
import pytest

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf
from streamgate.sdk.clock import SYSTEM_CLOCK
from streamgate.sdk.evm import ChainId
from streamgate.sdk.http import MAX_ANSWER_BYTES
from streamgate.settings import Secret
from streamgate.testing.wallets import Wallet
from streamgate_auth.evm.chain import Chain, ChainOptions, Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.erc721 import Erc721, Erc721Reader
from streamgate_auth.evm.facts import ChainFacts
from streamgate_auth.evm.reads import CALL_GAS, EthCall, Returned, Unread
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import RpcError

CONTRACT = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
ALICE, BOB = Wallet.named("alice").address, Wallet.named("bob").address
CALL = EthCall(CONTRACT, "0x70a08231")
ONE = f"0x{1:064x}"
Reply = Callable[[list[dict[str, Any]]], "Awaitable[httpx.Response] | httpx.Response"]


@attrs.define
class FakeNode:
    """A node that answers what the test says. `results` by method; a callable gets the params."""

    results: dict[str, Any] = attrs.field(factory=dict)
    reply: Reply | None = None
    batches: list[list[dict[str, Any]]] = attrs.field(factory=list)

    async def handle(self, request: httpx.Request) -> httpx.Response:
        asked = orjson.loads(request.content)
        batch = asked if isinstance(asked, list) else [asked]
        self.batches.append(batch)
        if self.reply is not None:
            answer = self.reply(batch)
            return answer if isinstance(answer, httpx.Response) else await answer
        answers = [self.answer(question) for question in batch]
        return httpx.Response(200, json=answers if asked is batch else answers[0])

    def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        usual: dict[str, Any] = {
            "eth_chainId": "0x1",
            "eth_blockNumber": "0x10",
            "eth_call": ONE,
            "eth_getCode": "0x60",
        }
        found = {**usual, **self.results}[question["method"]]
        if callable(found):
            found = found(question["params"])
        kind = "error" if isinstance(found, dict) else "result"
        return {"jsonrpc": "2.0", "id": question["id"], kind: found}

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [question for batch in self.batches for question in batch if question["method"] == "eth_call"]


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Chain]]:
    """A chain read by these nodes, in their order."""
    made: list[tuple[Chain, list[httpx.AsyncClient]]] = []

    def build(*nodes: FakeNode, timeout_s: float = 1.0, **more: Any) -> Chain:
        clients = [httpx.AsyncClient(transport=httpx.MockTransport(node.handle)) for node in nodes]
        chain = Chain(
            ChainFacts(id=ChainId("eip155:1"), name="Test"),
            [
                Node(
                    number,
                    Secret(f"http://key{number}@node/secret-{number}"),
                    lambda client=client: client,  # type: ignore[misc]
                    SYSTEM_CLOCK,
                    timeout_s=timeout_s,
                    chain="eip155:1",
                )
                for number, client in enumerate(clients, start=1)
            ],
            SYSTEM_CLOCK,
            ChainOptions(**{"batching": "single", "hedge_s": 30.0, **more}),
        )
        made.append((chain, clients))
        return chain

    yield build
    for chain, clients in made:
        await chain.close()
        for client in clients:
            await client.aclose()


Make = Callable[..., Chain]


async def test_a_call_is_pinned_to_the_head_and_its_gas_is_bounded(make: Make) -> None:
    node = FakeNode()
    before_s = SYSTEM_CLOCK.now_s()
    answer = await make(node).call(CALL)
    assert isinstance(answer, Read)
    assert (answer.latest, answer.block_number) == (Returned((1).to_bytes(32, "big")), 16)
    assert before_s <= answer.read_at_s <= SYSTEM_CLOCK.now_s()
    (call,) = node.calls
    assert call["params"] == [{"to": CONTRACT, "data": "0x70a08231", "gas": hex(CALL_GAS)}, "0x10"]


async def test_all_calls_of_a_moment_go_in_one_batch_and_equal_ones_once(make: Make) -> None:
    node = FakeNode()
    chain = make(node)
    calls = [EthCall(CONTRACT, f"0x{n % 50:02x}") for n in range(200)]
    answers = await asyncio.gather(*(chain.call(call) for call in calls))
    assert all(isinstance(answer, Read) for answer in answers)
    assert [len(batch) for batch in node.batches] == [2, 50]  # the chain's id is asked once
    await chain.call(CALL)
    assert [len(batch) for batch in node.batches[2:]] == [1, 1]


async def test_large_batches_are_split(make: Make) -> None:
    node = FakeNode()
    chain = make(node, batch_size=20)
    await asyncio.gather(*(chain.call(EthCall(CONTRACT, f"0x{n:02x}")) for n in range(50)))
    assert sorted(len(batch) for batch in node.batches if batch[0]["method"] == "eth_call") == [10, 20, 20]


def answers_with(body: bytes, status: int = 200, **headers: str) -> FakeNode:
    return FakeNode(reply=lambda batch: httpx.Response(status, content=body, headers=headers))


async def hang(batch: list[dict[str, Any]]) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


def refuse(batch: list[dict[str, Any]]) -> httpx.Response:
    raise httpx.ConnectError("cannot reach http://key1@node/secret-1")


def drop_one(batch: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json=[FakeNode().answer(question) for question in batch[1:]])


def double_one(batch: list[dict[str, Any]]) -> httpx.Response:
    return httpx.Response(200, json=[FakeNode().answer(batch[0]) for _ in batch])


BAD_NODES = {
    "unreachable": FakeNode(reply=refuse),
    "hanging": FakeNode(reply=hang),
    "status 500": answers_with(b"[]", 500),
    "status 429": answers_with(b"[]", 429),
    "redirect": answers_with(b"", 302, location="http://169.254.169.254/"),
    "not JSON": answers_with(b"<html>"),
    "not a batch": answers_with(b'{"jsonrpc":"2.0","id":0,"result":"0x1"}'),
    "batches forbidden": answers_with(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}'),
    "too large": answers_with(b"[" + b" " * MAX_ANSWER_BYTES + b"]"),
    "one missing": FakeNode(reply=drop_one),
    "one twice": FakeNode(reply=double_one),
    "another chain": FakeNode({"eth_chainId": "0x89"}),
    "chain id garbage": FakeNode({"eth_chainId": "one"}),
    "chain id a number": FakeNode({"eth_chainId": 1}),
    "head garbage": FakeNode({"eth_blockNumber": None}),
    "head enormous": FakeNode({"eth_blockNumber": "0x" + "f" * 30}),
    "rpc error": FakeNode({"eth_call": {"code": -32000, "message": "header not found"}}),
    "rate limited": FakeNode({"eth_call": {"code": -32005, "message": "limit exceeded"}}),
    "error garbage": FakeNode({"eth_call": {"code": "x"}}),
    "result null": FakeNode({"eth_call": None}),
    "result a number": FakeNode({"eth_call": 1}),
    "result odd hex": FakeNode({"eth_call": "0x123"}),
    "behind": FakeNode({"eth_blockNumber": "0x4"}),
}


@pytest.mark.parametrize("fault", BAD_NODES)
async def test_a_bad_node_is_unknown_alone_and_passed_over_for_a_good_one(make: Make, fault: str) -> None:
    bad = BAD_NODES[fault]
    alone = await make(bad, timeout_s=0.1).call(CALL, min_block=5)
    assert isinstance(alone, Unread), alone
    assert "secret" not in alone.reason
    assert "key1" not in alone.reason
    good = await make(bad, FakeNode(), timeout_s=0.1).call(CALL, min_block=5)
    assert isinstance(good, Read), good


@pytest.mark.parametrize(
    "answer", [{"code": -32603, "message": "EVM error OutOfGas"}, "0x" + "00" * 5000], ids=["gas", "bytes"]
)
async def test_what_the_contract_does_is_no_fault_of_the_node(make: Make, answer: Any) -> None:
    """It is unknown at once: another node could not say it either."""
    first, second = FakeNode({"eth_call": answer}), FakeNode()
    chain = make(first, second)
    assert isinstance(await chain.call(CALL), Unread)
    assert (second.calls, chain.health()[0].failures) == ([], 0)


async def test_a_bad_node_is_asked_last_for_a_while(make: Make) -> None:
    bad, good = FakeNode(reply=refuse), FakeNode()
    chain = make(bad, good)
    await chain.call(CALL)
    before = len(bad.batches)
    for n in range(3):
        await chain.call(EthCall(CONTRACT, f"0x0{n}"))
    assert len(bad.batches) == before


async def test_only_what_one_node_could_not_say_is_asked_of_the_next(make: Make) -> None:
    def some(params: list[Any]) -> Any:
        return ONE if params[0]["data"] == "0x01" else {"code": -32000, "message": "busy"}

    first, second = FakeNode({"eth_call": some}), FakeNode()
    chain = make(first, second)
    answers = await asyncio.gather(chain.call(EthCall(CONTRACT, "0x01")), chain.call(EthCall(CONTRACT, "0x02")))
    assert all(isinstance(answer, Read) for answer in answers)
    assert [call["params"][0]["data"] for call in second.calls] == ["0x02"]


async def test_a_caller_that_leaves_takes_nobody_with_it(make: Make) -> None:
    chain = make(FakeNode())
    leaving = asyncio.create_task(chain.call(CALL))
    staying = asyncio.create_task(chain.call(CALL))
    await asyncio.sleep(0)
    leaving.cancel()
    assert isinstance(await staying, Read)


@pytest.mark.parametrize("is_sent", [False, True])
async def test_who_waits_when_it_closes_is_told_so(make: Make, is_sent: bool) -> None:
    """Before the batch is sent, and while it is being answered."""
    node = FakeNode(reply=hang)
    chain = make(node, timeout_s=30.0)
    waiting = asyncio.create_task(chain.call(CALL))
    await asyncio.sleep(0)
    while is_sent and not node.batches:
        await asyncio.sleep(0)
    await chain.close()
    assert isinstance(await waiting, Unread)


@pytest.mark.parametrize(
    ("error", "is_revert"),
    [
        (RpcError(3, "execution reverted", "0x7e273289"), True),  # geth, anvil
        (RpcError(-32000, "execution reverted: ERC721: invalid token ID"), True),  # older geth
        (RpcError(-32015, "VM execution error.", "Reverted 0x08c379a0"), True),  # Nethermind
        (RpcError(-32000, "out of gas"), False),
        (RpcError(-32603, "EVM error OutOfGas"), False),
        (RpcError(-32000, "missing trie node"), False),
        (RpcError(-32005, "daily request count exceeded"), False),
    ],
)
def test_a_revert_is_told_from_an_error(error: RpcError, is_revert: bool) -> None:
    assert error.is_revert is is_revert


# --- the kind ---------------------------------------------------------------------------------------


class OneChain(Chains):
    """Gives the chain of the test."""

    def __init__(self, chain: Chain) -> None:
        super().__init__({}, None, SYSTEM_CLOCK)
        self._chain = chain

    async def get(self, chain: ChainId) -> Chain | None:
        return self._chain


async def read(chain: Chain, *addresses: str, **params: Any) -> Reading:
    wanted = Erc721(chain="eip155:1", contract=CONTRACT, **params)
    return await Erc721Reader(OneChain(chain)).read(Leaf(params=wanted, addresses=addresses, min_block={}))


def by_wallet(**balances: Any) -> Any:
    """`balanceOf` by the wallet's name, an error where a dict is given."""
    by_address = {Wallet.named(name).address[2:].lower(): value for name, value in balances.items()}

    def answer(params: list[Any]) -> Any:
        value = by_address.get(params[0]["data"][-40:], REVERTED)  # what the collection is, is no wallet's
        return value if isinstance(value, dict) else f"0x{value:064x}"

    return answer


BUSY = {"code": -32000, "message": "busy"}
REVERTED = {"code": 3, "message": "execution reverted"}


@pytest.mark.parametrize(
    ("alice", "bob", "least", "outcome", "held"),
    [
        (0, 0, "1", "does_not_hold", "0"),
        (1, 0, "1", "holds", "1"),
        (0, 5, "1", "holds", "5"),
        (1, 1, "2", "does_not_hold", "1"),  # one wallet alone must hold them
        (2, 1, "2", "holds", "2"),
        (0, BUSY, "1", "unknown", ""),
        (1, BUSY, "1", "holds", "1"),
        (BUSY, BUSY, "1", "unknown", ""),
        (2**256 - 1, 0, str(2**256 - 1), "holds", str(2**256 - 1)),
    ],
)
async def test_any_one_wallet_must_satisfy_it_alone(
    make: Make, alice: Any, bob: Any, least: str, outcome: str, held: str
) -> None:
    node = FakeNode({"eth_call": by_wallet(alice=alice, bob=bob)})
    reading = await read(make(node), ALICE, BOB, min=least)
    assert (reading.outcome, reading.held) == (outcome, held)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("0x" + "0" * 24 + ALICE[2:].lower(), "holds"),
        ("0x" + "0" * 24 + BOB[2:].lower(), "does_not_hold"),
        ("0x" + "0" * 64, "does_not_hold"),
        ("0x" + "f" * 24 + ALICE[2:].lower(), "unknown"),  # no address
        ("0x", "unknown"),  # no contract there
        ("0x" + "0" * 24 + ALICE[2:].lower() + "00" * 32, "unknown"),
        ({"code": 3, "message": "execution reverted", "data": "0x7e273289"}, "unknown"),  # nor does it say what it is
        (BUSY, "unknown"),
    ],
)
async def test_the_owner_of_a_certain_token(make: Make, answer: Any, outcome: str) -> None:
    reading = await read(make(FakeNode({"eth_call": answer})), ALICE, token_id="7")
    assert reading.outcome == outcome


@pytest.mark.parametrize("answer", ["0x", "0x01", "0x" + "00" * 64, {"code": 3, "message": "execution reverted"}])
async def test_a_contract_without_balances_is_unknown(make: Make, answer: Any) -> None:
    assert (await read(make(FakeNode({"eth_call": answer})), ALICE)).outcome == "unknown"


async def test_gain_counts_once_confirmed_and_loss_at_once(make: Make) -> None:
    def balance(latest: int, earlier: int) -> FakeNode:
        return FakeNode({"eth_call": lambda params: f"0x{latest if params[1] == '0x10' else earlier:064x}"})

    async def outcome(latest: int, earlier: int) -> str:
        return (await read(make(balance(latest, earlier), confirmations=5), ALICE)).outcome

    assert await outcome(1, 1) == "holds"
    assert await outcome(1, 0) == "unknown"
    assert await outcome(0, 1) == "does_not_hold"
    node = balance(1, 1)
    await read(make(node, confirmations=5), ALICE)
    assert {call["params"][1] for call in node.calls} == {"0x10", "0xb"}


async def test_wallets_of_other_kinds_of_chain_are_not_asked_about(make: Make) -> None:
    node = FakeNode()
    reading = await read(make(node), "7EqQdEULxWcraVx3mXKFjc84LhCkMGZCkRuDpvcMwJeK")
    assert (reading.outcome, node.batches) == ("does_not_hold", [])
