"""Does this address hold so many of this? Of any standard, found out where it is not said."""

from __future__ import annotations

from typing import Literal

from streamgate.contracts.auth import ChainUnknown
from streamgate.contracts.nft import ContractInvalid, NftHolding, NftQuery
from streamgate.sdk.evm import parse_account
from streamgate_auth.evm.chain import Read
from streamgate_auth.evm.chains import Chains
from streamgate_auth.evm.measure import balance_of, balance_of_id, owner_of, word
from streamgate_auth.evm.reads import ChainRead, NativeBalance, Returned, Reverted
from streamgate_auth.nft.asking import Contract, ask, checked_at, invalid, open_chain, open_contract, require_number

Found = Literal["erc721", "erc1155", "erc20", "native"]


async def verify(chains: Chains, query: NftQuery) -> NftHolding:
    """See `contracts.nft.Nft.verify`."""
    named, wallet = parse_account(query.address)
    if named not in (None, query.chain):
        raise ChainUnknown(f"the account is on {named}, but the chain asked for is {query.chain}")
    least = require_number("min_balance", query.min_balance, least=1)
    if query.token_id is not None:
        require_number("token_id", query.token_id)
    if query.contract is None:
        if query.standard not in ("auto", "native"):
            raise invalid("contract", f"is needed for {query.standard}")
        if query.token_id is not None:
            raise invalid("token_id", "is not for a chain's own coin")
        (balance,) = await ask(await open_chain(chains, query.chain), [NativeBalance(wallet)])
        return _holding(query, wallet, None, "native", balance, least)
    if query.standard == "native":
        raise invalid("contract", "is not for a chain's own coin; leave it out")
    contract = await open_contract(chains, query.chain, query.contract)
    standard = _standard(query, contract)
    if standard == "erc1155" and query.token_id is None:
        raise invalid("token_id", "is needed for an ERC-1155")
    if standard == "erc20" and query.token_id is not None:
        raise invalid("token_id", "is not for an ERC-20")
    read: ChainRead
    if standard == "erc1155":
        read = balance_of_id(contract.address, wallet, query.token_id or "0")
    elif query.token_id is not None:
        read = owner_of(contract.address, query.token_id)
    else:
        read = balance_of(contract.address, wallet)
    (answer,) = await ask(contract.chain, [read], min_block=contract.block_number)
    return _holding(query, wallet, contract, standard, answer, least)


def _standard(query: NftQuery, contract: Contract) -> Literal["erc721", "erc1155", "erc20"]:
    """What to read it as. What it says of itself may not be contradicted; where it says nothing, the caller's word
    counts, and without one an ERC-20 is tried."""
    asked = query.standard
    if asked == "spl" or asked == "metaplex" or asked == "core":
        raise invalid("standard", f"{asked} is of Solana, and {query.chain} is not")
    if asked == "auto" or asked == "native":
        return contract.says or "erc20"
    if contract.says is not None and contract.says != asked:
        raise ContractInvalid(f"{contract.address} says that it is {contract.says}, not {asked}")
    return asked


def _holding(
    query: NftQuery, wallet: str, contract: Contract | None, standard: Found, answer: Read, least: int
) -> NftHolding:
    """Raises ContractInvalid: the contract does not answer as the standard wants."""
    by_owner = standard == "erc721" and query.token_id is not None
    now, before = (_held(result, wallet, by_owner=by_owner) for result in (answer.latest, answer.confirmed))
    if now is None:
        where = contract.address if contract is not None else query.chain
        raise ContractInvalid(f"{where} does not answer as {standard} does")
    return NftHolding(
        address=wallet,
        chain=query.chain,
        contract=None if contract is None else contract.address,
        token_id=query.token_id,
        holds=now >= least and before is not None and before >= least,
        balance=str(now),
        standard=standard,
        block_number=answer.block_number,
        checked_at=checked_at(answer.read_at_s),
        sources=answer.nodes,
    )


def _held(result: Returned | Reverted, wallet: str, *, by_owner: bool) -> int | None:
    if not by_owner:
        return word(result)
    if isinstance(result, Reverted):
        return 0  # a token that nobody owns
    owner = word(result)
    return None if owner is None or owner >= 1 << 160 else int(f"0x{owner:040x}" == wallet.lower())
