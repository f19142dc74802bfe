"""Blocks and logs of a chain, for those who follow it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import attrs

from streamgate.sdk.evm import ChainId
from streamgate_auth.evm.look import Lens, Tag
from streamgate_auth.metrics import RPC_DISAGREEMENTS
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.pool import NoAnswer, Pool
from streamgate_auth.rpc.vote import agreed
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity

MAX_LOG_REQUESTS = 64  # that one range may be split into
MAX_KEPT_BLOCKS = 4_096
MAX_SEARCH_STEPS = 80
SETTLED_BLOCKS = 128  # so far behind the head a block is kept for the search by time
_HASH = re.compile(r"0x[0-9a-f]{64}")
_ADDRESS = re.compile(r"0x[0-9a-f]{40}")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


@attrs.frozen(kw_only=True)
class Block:
    """`timestamp_s`: Unix time, as the chain has it."""

    number: int
    hash: str
    parent_hash: str
    timestamp_s: int


@attrs.frozen(kw_only=True)
class Log:
    """All hex in lower case. `index` is within the block."""

    address: str
    topics: tuple[str, ...]
    data: str
    block_number: int
    block_hash: str
    transaction_hash: str
    index: int


@attrs.frozen(kw_only=True)
class Logs:
    """Those of a range in the order of the chain, with its last block and the one before it (None before the chain's
    first) as the node that told them knows them."""

    logs: tuple[Log, ...]
    last: Block
    before: Block | None


@attrs.define(eq=False, kw_only=True)
class Blocks:
    """Args:
    block_time_s: usual time between two blocks; a first guess only.
    quorum: so many endpoints must tell the same logs.
    """

    chain: ChainId
    pool: Pool
    lens: Lens
    block_time_s: float
    quorum: int = 1
    _kept: OrderedDict[int, Block] = attrs.field(factory=OrderedDict)

    async def head(self) -> Block:
        """The newest block. Raises NoAnswer."""

        async def ask(node: Node) -> Block:
            block = await self._block_of(node, "latest")
            if block is None:
                raise EndpointFault("it knows no block")
            self.pool.note_head(node, block.number)
            if self.pool.is_lagging(node):
                raise EndpointFault(f"it is {self.pool.lag(node)} blocks behind the others", "behind")
            return block

        return (await self.pool.first(ask)).value

    async def block(self, which: int | Tag) -> Block | None:
        """None: no endpoint that answers has it (not yet, or no longer). Raises NoAnswer: none answers."""
        tried: set[int] = set()
        has_none = False
        while True:
            try:
                answered = await self.pool.first(lambda node: self._block_of(node, which), tried=tried)
            except NoAnswer:
                if has_none:
                    return None
                raise
            if answered.value is not None:
                return answered.value
            has_none = True

    async def logs(
        self, first: int, last: int, addresses: Sequence[str], topics: Sequence[str | Sequence[str] | None]
    ) -> Logs:
        """From block to block, both included, by all of these addresses (none: of any), by topics as `eth_getLogs`
        has them. A range that is too much for a node is split. With a quorum so many endpoints must say the same.

        Raises:
            NoAnswer: no endpoint has the last block, or could say; or they disagree.
        """
        search = {"address": list(addresses), "topics": list(topics)} if addresses else {"topics": list(topics)}

        async def ask(node: Node) -> Logs:
            return await self._logs_of(node, first, last, search)

        if self.quorum == 1:
            return (await self.pool.first(ask)).value
        tried: set[int] = set()
        answers = await self.pool.several(ask, self.quorum, tried=tried)
        while (found := agreed([each.value for each in answers], self.quorum)) is None:
            try:
                answers.append(await self.pool.first(ask, tried=tried))
            except NoAnswer as fault:
                if len({each.value for each in answers}) > 1:
                    RPC_DISAGREEMENTS.labels(chain=self.chain).inc()
                    raise NoAnswer("the endpoints disagree") from fault
                raise
        return found[0]

    async def block_at(self, unix_s: float) -> Block:
        """The last block that is not younger than that moment; the first one where the chain is. Raises NoAnswer."""
        late = await self.head()
        if late.timestamp_s <= unix_s:
            return late
        settled = late.number - SETTLED_BLOCKS
        early = max((each for each in self._kept.values() if each.timestamp_s <= unix_s), key=_number, default=None)
        late = min((late, *(each for each in self._kept.values() if each.timestamp_s > unix_s)), key=_number)
        back = max(1, int((late.timestamp_s - unix_s) / self.block_time_s) + 1)
        steps = 0
        while (early is None and late.number > 0) or (early is not None and late.number - early.number > 1):
            steps += 1
            if steps > MAX_SEARCH_STEPS:
                raise NoAnswer("the blocks' times make no sense")
            number = max(0, late.number - back) if early is None else _between(early, late, unix_s, steps)
            found = await self._kept_block(number, settled)
            if found.timestamp_s <= unix_s:
                early = found
            else:
                late, back = found, 2 * back
        return early if early is not None else late

    async def _kept_block(self, number: int, settled: int) -> Block:
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        found = await self.block(number)
        if found is None:
            raise NoAnswer(f"no endpoint has block {number}")
        if number <= settled:
            self._kept[number] = found
            if len(self._kept) > MAX_KEPT_BLOCKS:
                self._kept.popitem(last=False)
        return found

    async def _block_of(self, node: Node, which: int | Tag) -> Block | None:
        (answer,) = await self.lens.verified(node, [_block_question(which)])
        return _block(answer)

    async def _logs_of(self, node: Node, first: int, last: int, search: dict[str, Any]) -> Logs:
        ranges, found, requests = [(first, last)], list[Log](), 0
        ends = [_block_question(last), *([_block_question(first - 1)] if first else [])]
        bounds: tuple[Block, Block | None] | None = None
        while ranges:
            low, high = ranges.pop()
            requests += 1
            if requests > MAX_LOG_REQUESTS:
                raise EndpointFault("too many logs for it", "refused")
            wanted = Question("eth_getLogs", ({**search, "fromBlock": hex(low), "toBlock": hex(high)},))
            try:
                answer, *told = await self.lens.verified(node, [wanted, *ends])
            except EndpointFault as fault:
                if fault.kind != "too_large" or low == high:
                    raise
                answer, told = RpcError(0, "too large"), []
            if isinstance(answer, RpcError):
                if low == high:
                    raise EndpointFault(f"error {answer.code}", "refused")
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]
                continue
            end, before = _block(told[0]), _block(told[1]) if first else None
            if end is None or (first and before is None):
                raise EndpointFault(f"it does not have block {last if end is None else first - 1}", "behind")
            if bounds is not None and bounds != (end, before):
                raise EndpointFault("its chain changed while it was read", "behind")
            bounds = end, before
            found += _logs(answer, low, high)
        if bounds is None:
            raise EndpointFault("it told no block")
        last_block, before = bounds
        if any(log.block_number == last_block.number and log.block_hash != last_block.hash for log in found):
            raise EndpointFault("its logs are of another fork than its blocks", "behind")
        found.sort(key=lambda log: (log.block_number, log.index))
        return Logs(logs=tuple(found), last=last_block, before=before)


def _number(block: Block) -> int:
    return block.number


def _between(early: Block, late: Block, unix_s: float, step: int) -> int:
    """By the times at both ends, and every other step the middle, so that it ends soon whatever they are."""
    width = late.number - early.number
    if step % 2:
        share = (unix_s - early.timestamp_s) / max(1, late.timestamp_s - early.timestamp_s)
        guess = early.number + int(share * width)
    else:
        guess = early.number + width // 2
    return min(max(guess, early.number + 1), late.number - 1)


def _block_question(which: int | Tag) -> Question:
    return Question("eth_getBlockByNumber", (hex(which) if isinstance(which, int) else which, False))


def _block(answer: Answer | RpcError) -> Block | None:
    if isinstance(answer, RpcError):
        raise EndpointFault(f"error {answer.code}", "refused")
    if answer is None:
        return None
    if not isinstance(answer, dict):
        raise EndpointFault("a block in the answer is none")
    return Block(
        number=parse_quantity(answer.get("number")),
        hash=_text(answer.get("hash"), _HASH),
        parent_hash=_text(answer.get("parentHash"), _HASH),
        timestamp_s=parse_quantity(answer.get("timestamp")),
    )


def _logs(answer: Answer, low: int, high: int) -> list[Log]:
    if not isinstance(answer, list):
        raise EndpointFault("the logs in the answer are none")
    logs = [_log(each) for each in answer if not (isinstance(each, dict) and each.get("removed") is True)]
    if any(not low <= log.block_number <= high for log in logs):
        raise EndpointFault("its logs are of other blocks than were asked for")
    return logs


def _log(answer: Answer) -> Log:
    if not isinstance(answer, dict) or not isinstance(answer.get("topics"), list):
        raise EndpointFault("a log in the answer is none")
    return Log(
        address=_text(answer.get("address"), _ADDRESS),
        topics=tuple(_text(topic, _HASH) for topic in answer["topics"]),
        data=_text(answer.get("data"), _HEX),
        block_number=parse_quantity(answer.get("blockNumber")),
        block_hash=_text(answer.get("blockHash"), _HASH),
        transaction_hash=_text(answer.get("transactionHash"), _HASH),
        index=parse_quantity(answer.get("logIndex")),
    )


def _text(value: object, form: re.Pattern[str]) -> str:
    text = value.lower() if isinstance(value, str) else ""
    if not form.fullmatch(text):
        raise EndpointFault("a field in the answer is not of its form")
    return text
