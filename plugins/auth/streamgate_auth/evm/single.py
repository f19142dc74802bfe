"""Reads asked one by one, in a JSON-RPC batch at blocks' numbers: what every node can."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from streamgate_auth.evm.reads import ChainRead, Returned, Reverted, Unread
from streamgate_auth.rpc.node import Node
from streamgate_auth.rpc.wire import Answer, EndpointFault, Question, RpcError, parse_quantity


async def each_singly(node: Node, asked: Sequence[tuple[ChainRead, str]]) -> list[Returned | Reverted | Unread]:
    """Each read at its block.

    Raises:
        EndpointFault: the node answered none of them, and no contract is to blame.
    """
    answers = await _each(node, [read.question(block) for read, block in asked])
    results = [
        answer if isinstance(answer, Unread) else read.result(answer)
        for (read, _), answer in zip(asked, answers, strict=True)
    ]
    reasons = [result.reason for result in results if isinstance(result, Unread) and not result.is_of_contract]
    if results and len(reasons) == len(results):
        raise EndpointFault(reasons[0], "refused")
    return results


def number_question(tag: str) -> Question:
    return Question("eth_blockNumber") if tag == "latest" else Question("eth_getBlockByNumber", (tag, False))


def number_of(tag: str, answer: Answer | RpcError) -> int:
    """Raises EndpointFault: it tells none."""
    if isinstance(answer, RpcError):
        raise EndpointFault(f"error {answer.code}", "refused")
    if tag != "latest":
        if not isinstance(answer, dict):
            raise EndpointFault(f"it knows no {tag} block", "refused")
        answer = answer.get("number")
    return parse_quantity(answer)


async def _each(node: Node, questions: Sequence[Question]) -> list[Answer | RpcError | Unread]:
    """One batch; where its answer is too large, halves of it, until the one is found that makes it so."""
    if not questions:
        return []
    try:
        return await node.ask(questions)
    except EndpointFault as fault:
        if fault.kind != "too_large":
            raise
    if len(questions) == 1:
        return [Unread("the contract returned too much", is_of_contract=True)]
    middle = len(questions) // 2
    halves = await asyncio.gather(_each(node, questions[:middle]), _each(node, questions[middle:]))
    return [*halves[0], *halves[1]]
