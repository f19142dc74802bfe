"""The requirement kind `erc721`: holds tokens of a collection, one certain token, or some of a range (EIP-721)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.evm import ChainId, parse_address
from streamgate_auth.evm import words
from streamgate_auth.evm.chain import Chain, Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.detect import Detected, Standard, asked_soon
from streamgate_auth.evm.holding import Holder, in_its_place, read_holding, wallets_of
from streamgate_auth.evm.measure import Listed, Measure, Owned, balance_of, owned_by_index, word
from streamgate_auth.evm.params import (
    Finality,
    TokenRange,
    delegated_field,
    held_for_field,
    is_chain,
    is_contract,
    is_uint256,
    max_field,
    min_field,
    range_of,
    require_chain,
    require_order,
    require_registry,
)
from streamgate_auth.evm.warn import warnings
from streamgate_auth.gate.nodes import BRIEF

WHAT = "an ERC-721"
MAX_ASKED = 100
"""Tokens of one leaf whose owners are asked one by one; the same number of one wallet are looked through."""
LISTED = 8  # of a wallet: told beside the balance, so that a decision names the tokens it rests on
_RANGE: Any = TokenRange | None  # attrs' stubs know no classes made at run time


@attrs.frozen(kw_only=True)
class Erc721:
    """Parameters. Neither `token_id` nor `token_ids`: any token of the collection. From `min` to `max` of them, in one
    wallet, at the rule's `finality`, and `held_for_s` ago as well."""

    chain: str = attrs.field(validator=is_chain)
    contract: str = attrs.field(validator=is_contract)
    token_id: str | None = attrs.field(default=None, validator=is_uint256)
    token_ids: _RANGE = attrs.field(default=None, metadata=BRIEF)
    min: str = min_field()
    max: str | None = max_field()
    finality: Finality | None = attrs.field(default=None, metadata=BRIEF)
    held_for_s: int = held_for_field()
    delegated: bool = delegated_field()

    def __attrs_post_init__(self) -> None:
        if self.token_id is not None and self.token_ids is not None:
            raise ValueError("has token_id and token_ids: leave one out")
        if self.token_id is not None and (self.min != "1" or self.max is not None):
            raise ValueError("a single token_id can be held once only: leave min and max out")
        require_order(self.min, self.max)


@attrs.define(eq=False)
class Erc721Reader:
    """Reads the kind by the chains it is given."""

    chains: Chains
    _detected: Detected = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._detected = Detected(self.chains.clock)

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name="erc721",
            summary="Holds tokens of an ERC-721 collection, one certain token of it, or some of a range.",
            params=Erc721,
            describe=lambda params: f"holds {_tokens(params)} on {params.chain}{words.conditions(params)}",
            read=self.read,
            leaf_key=lambda params: f"{params.chain}/{params.contract.lower()}",
            needed=lambda params: params.min,
            canonical=lambda params: attrs.evolve(params, contract=parse_address(params.contract)),
            check=self.check,
            warn=self.warn,
            satisfy=self.satisfy,
            link=lambda params: self.chains.facts_of(ChainId(params.chain)).marketplace_url(
                words.address(params), params.token_id
            ),
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Erc721 = leaf.params
        chain = await self.chains.get(ChainId(params.chain))
        is_shown = chain is not None and await self._is_shown(chain, params)

        async def measure(chain: Chain, holder: Holder) -> Measure | None:
            measured = await self._measure(chain, params, holder, leaf)
            return attrs.evolve(measured, is_shown=is_shown) if isinstance(measured, Owned) else measured

        reading = read_holding(self.chains, leaf, "erc721", measure)
        if chain is None or not _is_listed(params) or not wallets_of(leaf):
            return await reading
        standard = self._detected.known(chain, params.contract)
        if standard is None:
            found, told = await asyncio.gather(reading, self._detected.of(chain, params.contract))  # in one batch
        else:
            found, told = await reading, standard
        if not params.delegated or (isinstance(told, Standard) and told.is_enumerable):
            return found
        # A vault that delegated one certain token, and to another all that it has: both may rest on the same one.
        return in_its_place(params, found, always=True)

    async def _is_shown(self, chain: Chain, params: Erc721) -> bool:
        """Whether the contract says that it is an ERC-721; of matter where certain tokens are asked for."""
        if params.token_id is None and params.token_ids is None and not params.delegated:
            return False
        found = await self._detected.of(chain, params.contract)
        return isinstance(found, Standard) and found.says == "erc721"

    async def check(self, params: Erc721) -> None:
        await require_chain(self.chains, params.chain)
        if params.delegated:
            await require_registry(self.chains, params.chain)
        if params.token_ids is not None and not _is_small(range_of(params.token_ids)):
            await self._require_list(params)

    async def warn(self, params: Erc721) -> Sequence[str]:
        return (*_of_range(params), *await warnings(self.chains, self._detected, params, "erc721"))

    def satisfy(self, params: Erc721) -> str:
        name = self.chains.facts_of(ChainId(params.chain)).name
        return f"hold {_tokens(params)} on {name}{words.conditions(params)}"

    async def _measure(self, chain: Chain, params: Erc721, holder: Holder, leaf: Leaf) -> Measure | None:
        contract = words.address(params)
        if params.token_id is not None:
            return _owned(contract, (int(params.token_id),), holder)
        if params.token_ids is None:
            if holder.tokens is not None:
                return _owned(contract, holder.tokens[:MAX_ASKED], holder)
            return Listed(contract, holder.wallet, WHAT, self._to_list(chain, params))
        wanted = range_of(params.token_ids)
        if holder.tokens is not None:
            return _owned(contract, tuple(token for token in holder.tokens if token in wanted)[:MAX_ASKED], holder)
        if _is_small(wanted):
            return _owned(contract, tuple(wanted), holder)
        return await _looked_through(chain, contract, holder.wallet, wanted, leaf)

    def _to_list(self, chain: Chain, params: Erc721) -> int:
        """A collection that nobody knows yet is asked: what cannot list refuses, and is known then."""
        known = self._detected.known(chain, params.contract)
        is_refused = known is not None and not known.is_enumerable
        return 0 if is_refused or not _is_listed(params) else max(LISTED, int(params.min))

    async def _require_list(self, params: Erc721) -> None:
        """Raises ValueError: a range so wide cannot be read from this collection."""
        chain = await self.chains.get(ChainId(params.chain))
        found = None if chain is None else await asked_soon(self._detected, chain, params.contract)
        if isinstance(found, Standard) and not found.is_enumerable:
            raise ValueError(
                f"token_ids has more than {MAX_ASKED} ids, and {words.address(params)} cannot list a wallet's tokens "
                f"(ERC-721 Enumerable)"
            )


def _owned(contract: str, tokens: tuple[int, ...], holder: Holder) -> Owned | None:
    left = tokens if holder.tokens is None else tuple(token for token in tokens if token in holder.tokens)
    return Owned(contract, left, WHAT) if left else None


def _is_listed(params: Erc721) -> bool:
    """Whether it is about any tokens, and no more than can be told."""
    return params.token_id is None and params.token_ids is None and int(params.min) <= MAX_ASKED


def _is_small(wanted: range) -> bool:
    return wanted.stop - wanted.start <= MAX_ASKED


async def _looked_through(chain: Chain, contract: str, wallet: str, wanted: range, leaf: Leaf) -> Owned:
    """The wallet's tokens that are in the range, of the first so many it has: who owns these is asked of each then, so
    that a list which is not true opens nothing."""
    min_block = leaf.min_block.get(chain.id, 0)
    answer = await chain.call(balance_of(contract, wallet), min_block=min_block, max_age_s=leaf.max_age_s)
    count = word(answer.latest) if isinstance(answer, Read) else None
    if not isinstance(answer, Read) or count is None:
        reason = f"the contract does not answer as {WHAT} does" if isinstance(answer, Read) else answer.reason
        return Owned(contract, (), WHAT, reason)
    indices = range(min(count, MAX_ASKED))
    reads = (owned_by_index(contract, wallet, index) for index in indices)
    listed = await asyncio.gather(*(chain.call(read, at_block=answer.block_number) for read in reads))
    tokens = [word(each.latest) if isinstance(each, Read) else None for each in listed]
    missing = (
        "" if count <= MAX_ASKED else f"the wallet holds {count} tokens; no more than {MAX_ASKED} are looked through"
    )
    if None in tokens:
        missing = "the collection could not list the wallet's tokens (ERC-721 Enumerable)"
    found = {token for token in tokens if token is not None and token in wanted}
    return Owned(contract, tuple(sorted(found)), WHAT, missing)


def _of_range(params: Erc721) -> tuple[str, ...]:
    if params.token_ids is None or len(wanted := range_of(params.token_ids)) >= int(params.min):
        return ()
    return (f"nobody can hold {params.min} of the ids from {wanted.start} to {wanted.stop - 1}: there are fewer",)


def _tokens(params: Erc721) -> str:
    where = words.address(params)
    if params.token_id is not None:
        return f"token {params.token_id} of {where}"
    if params.token_ids is not None:
        wanted = range_of(params.token_ids)
        where = f"{where} with ids from {wanted.start} to {wanted.stop - 1}"
    if params.min == "1" and params.max is None:
        return f"a token of {where}"
    return f"{words.amount(params)} tokens of {where}"
