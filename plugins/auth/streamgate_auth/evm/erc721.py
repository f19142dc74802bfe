"""The requirement kind `erc721`: holds tokens of a collection, or one certain token (EIP-721)."""

from __future__ import annotations

import attrs

from streamgate.contracts.gate import Reading
from streamgate.contracts.hooks import Leaf, RequirementKind
from streamgate.sdk.evm import ChainId, parse_address
from streamgate_auth.evm.balances import balance_of, judge, owner_count, owner_of, read_each_wallet
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.params import is_at_least_one, is_chain, is_contract, is_uint256, require_chain
from streamgate_auth.evm.reads import Reverted

WHAT = "an ERC-721"


@attrs.frozen(kw_only=True)
class Erc721:
    """Parameters. `token_id` None: any token of the collection, at least `min` of them in one wallet."""

    chain: str = attrs.field(validator=is_chain)
    contract: str = attrs.field(validator=is_contract)
    token_id: str | None = attrs.field(default=None, validator=is_uint256)
    min: str = attrs.field(default="1", validator=is_at_least_one)

    def __attrs_post_init__(self) -> None:
        if self.token_id is not None and self.min != "1":
            raise ValueError("a single token_id can be held once only: leave min out")


@attrs.frozen(eq=False)
class Erc721Reader:
    """Reads the kind by the chains it is given."""

    chains: Chains

    def kind(self) -> RequirementKind:
        return RequirementKind(
            name="erc721",
            summary="Holds tokens of an ERC-721 collection, or one certain token of it.",
            params=Erc721,
            describe=describe,
            read=self.read,
            leaf_key=lambda params: f"{params.chain}/{params.contract.lower()}",
            needed=lambda params: params.min,
            canonical=lambda params: attrs.evolve(params, contract=parse_address(params.contract)),
            check=lambda params: require_chain(self.chains, params.chain),
        )

    async def read(self, leaf: Leaf) -> Reading:
        params: Erc721 = leaf.params
        if params.token_id is None:
            return await read_each_wallet(
                self.chains, leaf, int(params.min), lambda wallet: balance_of(params.contract, wallet), what=WHAT
            )
        chain = await self.chains.get(ChainId(params.chain))
        if chain is None:
            return Reading(outcome="unknown", reason=f"{params.chain} is not configured")
        call = owner_of(params.contract, params.token_id)
        answer = await chain.call(call, min_block=leaf.min_block.get(params.chain, 0))
        if isinstance(answer, Read) and isinstance(answer.latest, Reverted):
            # A token that nobody owns makes `ownerOf` revert: that is a no, not a fault.
            return Reading(
                outcome="does_not_hold",
                held="0",
                block_number=answer.block_number,
                nodes=answer.nodes,
                reason="no such token",
                read_at_s=answer.read_at_s,
            )
        wallets = frozenset(address.lower() for address in leaf.addresses if address.startswith("0x"))
        return judge(answer, 1, what=WHAT, count=owner_count(wallets))


def describe(params: Erc721) -> str:
    where = f"{parse_address(params.contract)} on {params.chain}"
    if params.token_id is not None:
        return f"holds token {params.token_id} of {where}"
    return f"holds a token of {where}" if params.min == "1" else f"holds at least {params.min} tokens of {where}"
