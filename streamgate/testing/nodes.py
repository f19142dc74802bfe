"""Chain nodes that misbehave as told: each is a small JSON-RPC server on loopback before a real node (anvil).

with FaultyNode(devchain.rpc_url) as node:           # honest until it is told otherwise
    node.lie(contract, 0)                            # every call to it returns this word
    node.lag_blocks = 20
    node.errors["eth_call"] = -32000                 # but eth_blockNumber goes on
    node.chain_number, node.creates, node.hides_logs, node.max_log_blocks, and the faults of `FaultyServer`
    node.behave()                                    # honest again
    node.requests                                    # the methods of each HTTP request, in their order
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx

from streamgate.testing.faulty_server import FaultyServer

_TAGS = ("latest", "pending", "safe", "finalized")
_BLOCK_AT = {"eth_call": 1, "eth_getBalance": 1, "eth_getCode": 1, "eth_getBlockByNumber": 0}
NOT_FOUND = {"code": -32000, "message": "header not found"}


class FaultyNode(FaultyServer):
    """`upstream_url`, where the node behind is, may be changed too: it may not be there yet."""

    path = "/v3/secret-key"

    def __init__(self, upstream_url: str) -> None:
        self.upstream_url = upstream_url
        # Plain loopback: no certificates to read.
        self._http = httpx.Client(trust_env=False, timeout=10.0, verify=False)
        super().__init__()

    def behave(self) -> None:
        super().behave()
        self.overrides: dict[str, dict[str, str]] = {}  # of the state, as eth_call's third parameter has them
        self.lag_blocks = 0
        self.boast_blocks = 0  # what it adds to its head, in eth_blockNumber alone
        self.chain_number: int | None = None
        self.creates = True  # whether eth_call may create a contract
        self.hides_logs = False
        self.max_log_blocks = 0  # 0: as many as are asked for

    def lie(self, contract: str, word: int) -> None:
        """Whatever is called there returns this word, also when a contract of ours is the caller."""
        self.overrides[contract] = {"code": f"0x7f{word:064x}60005260206000f3"}

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, fault, trace)
        self._http.close()

    def answer(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        head = self._head() if self.lag_blocks else 0
        answers: list[dict[str, Any]] = []
        sent: list[dict[str, Any]] = []
        for question in batch:
            refused = self._refused(question, head)
            if refused is None:
                sent.append(self._changed(question, head))
            else:
                answers.append({"jsonrpc": "2.0", "id": question["id"], **refused})
        if sent:
            told = self._http.post(self.upstream_url, json=sent).json()
            methods = {question["id"]: question for question in sent}
            answers += [self._told(methods[answer["id"]], answer) for answer in told]
        return sorted(answers, key=lambda answer: int(answer["id"]))

    def _refused(self, question: dict[str, Any], head: int) -> dict[str, Any] | None:
        method, block = question["method"], self._block(question)
        if method in self.errors:
            return {"error": {"code": self.errors[method], "message": "it is not well, see http://key@node/secret"}}
        if method == "eth_call" and not self.creates and "to" not in question["params"][0]:
            return {"error": {"code": -32602, "message": "missing to"}}
        if method == "eth_getLogs" and self.hides_logs:
            return {"result": []}
        if method == "eth_getLogs" and self.max_log_blocks and _blocks(question) > self.max_log_blocks:
            return {"error": {"code": -32005, "message": "query returned more than 10000 results"}}
        if self.lag_blocks and block.startswith("0x") and int(block, 16) > head - self.lag_blocks:
            return {"result": None} if method == "eth_getBlockByNumber" else {"error": NOT_FOUND}
        return None

    def _changed(self, question: dict[str, Any], head: int) -> dict[str, Any]:
        params = list(question["params"])
        at = _BLOCK_AT.get(question["method"])
        if at is not None and self.lag_blocks and params[at] in _TAGS:
            params[at] = hex(max(0, head - self.lag_blocks))
        if question["method"] == "eth_call" and self.overrides:
            params.append(self.overrides)
        return {**question, "params": params}

    def _told(self, question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        method = question["method"]
        if method == "eth_blockNumber":
            moved = int(answer["result"], 16) - self.lag_blocks + self.boast_blocks
            return {**answer, "result": hex(max(0, moved))}
        if self.chain_number is not None and "result" in answer:
            if method == "eth_chainId":
                return {**answer, "result": hex(self.chain_number)}
            result = answer["result"]
            if method == "eth_call" and "to" not in question["params"][0] and result[4:68] == self._upstream_number:
                # It creates a contract that tells it.
                return {**answer, "result": f"{result[:4]}{self.chain_number:064x}{result[68:]}"}
        return answer

    def _head(self) -> int:
        return self._ask("eth_blockNumber")

    @property
    def _upstream_number(self) -> str:
        """The true chain's, as a word of 64 digits."""
        return f"{self._ask('eth_chainId'):064x}"

    def _ask(self, method: str) -> int:
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": []}
        return int(self._http.post(self.upstream_url, json=question).json()["result"], 16)

    @staticmethod
    def _block(question: dict[str, Any]) -> str:
        at = _BLOCK_AT.get(question["method"])
        return "" if at is None else str(question["params"][at])


def _blocks(question: dict[str, Any]) -> int:
    search = question["params"][0]
    return int(search["toBlock"], 16) - int(search["fromBlock"], 16) + 1
