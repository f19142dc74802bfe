"""Does this wallet hold so many of this, on Solana?"""

from __future__ import annotations

import asyncio
from typing import get_args

from streamgate.contracts.auth import AddressInvalid, ChainUnknown
from streamgate.contracts.nft import ChainUnavailable, ContractInvalid, NftHolding, NftQuery, SolanaStandard
from streamgate.errors import FieldError
from streamgate.sdk.solana import parse_solana_address, parse_solana_chain
from streamgate_auth.accounts import SOLANA, parse_any_account
from streamgate_auth.nft.asking import RETRY_AFTER_S, checked_at, invalid, require_number
from streamgate_auth.solana.chain import SolanaChain
from streamgate_auth.solana.chains import SolanaChains
from streamgate_auth.solana.core import count as count_core
from streamgate_auth.solana.core import is_collection
from streamgate_auth.solana.counting import Count, Question, Range
from streamgate_auth.solana.metaplex import MAX_MINTS, MetaplexReader
from streamgate_auth.solana.reads import Account, Accounts, Unread
from streamgate_auth.solana.spl import SplReader, mint_of


async def verify(chains: SolanaChains, query: NftQuery) -> NftHolding:
    """See `contracts.nft.Nft.verify`."""
    chain, wallet = _open(chains, query), _wallet(query)
    least = require_number("min_balance", query.min_balance, least=1)
    if query.standard not in ("auto", *get_args(SolanaStandard)):
        raise invalid("standard", f"{query.standard} is of EVM chains, and {chain.id} is not")
    if query.token_id is not None:
        raise invalid("token_id", "is not for Solana: name the mint itself as the contract")
    if query.contract is None:
        raise invalid("contract", "is needed on Solana: a mint or a collection")
    try:
        contract = parse_solana_address(query.contract)
    except AddressInvalid as fault:
        raise AddressInvalid(fault.detail, errors=(FieldError("contract", fault.detail),)) from fault
    (told,) = await chain.read([Accounts((contract,))])
    if isinstance(told, Unread):
        raise _unavailable(told.reason)
    standard = _standard(query, contract, chain, told.value[0])

    async def count(question: Question) -> Count:
        match standard:
            case "spl":
                return await SplReader(chains).count(question, contract)
            case "metaplex":
                return await MetaplexReader(chains).count(question, contract, Range(MAX_MINTS))
            case "core":
                return await count_core(question, contract, 0)

    asked = [Question(chain=chain, wallet=wallet, commitment="confirmed", min_slot=told.slot or 0)]
    if chain.finality == "finalized":
        asked.append(Question(chain=chain, wallet=wallet, commitment="finalized", min_slot=0))
    counts = await asyncio.gather(*map(count, asked))
    for each in counts:
        if each.missing and each.held < least:
            raise _unavailable(each.missing)
    now = counts[0]
    return NftHolding(
        address=wallet,
        chain=chain.id,
        contract=contract,
        token_id=None,
        holds=all(each.held >= least for each in counts),
        balance=str(now.held),
        standard=standard,
        block_number=now.slot or 0,
        checked_at=checked_at(told.read_at_s),
        sources=min(each.nodes for each in counts),
    )


def _open(chains: SolanaChains, query: NftQuery) -> SolanaChain:
    """Raises ChainUnknown: 422."""
    found = chains.get(parse_solana_chain(query.chain))
    if found is None:
        known = ", ".join(chains.configured) or "none of Solana"
        raise ChainUnknown(f"chain {query.chain} is not configured; configured: {known}")
    return found


def _wallet(query: NftQuery) -> str:
    """Raises AddressInvalid, ChainUnknown: 422."""
    account, chain = parse_any_account(query.address), parse_solana_chain(query.chain)
    if account.chain not in (None, chain):
        raise ChainUnknown(f"the account is on {account.chain}, but the chain asked for is {chain}")
    if account.namespace != SOLANA:
        raise AddressInvalid(f"{account.address} is an EVM address, and {chain} is not an EVM chain")
    return account.address


def _standard(query: NftQuery, contract: str, chain: SolanaChain, account: Account | None) -> SolanaStandard:
    """What to read it as. Raises ContractInvalid: it is nothing of the kind."""
    is_mint, is_core = mint_of(account) is not None, is_collection(account)
    match query.standard:
        case "auto" | "spl" if is_mint:
            return "spl"
        case "metaplex" if is_mint:
            return "metaplex"
        case "auto" | "core" if is_core:
            return "core"
        case "core":
            raise ContractInvalid(f"{contract} is no Core collection on {chain.id}")
        case "auto":
            raise ContractInvalid(f"{contract} is neither a token mint nor a Core collection on {chain.id}")
    raise ContractInvalid(f"{contract} is no token mint on {chain.id}")


def _unavailable(reason: str) -> ChainUnavailable:
    return ChainUnavailable(f"the chain cannot be read now: {reason}", retry_after_s=RETRY_AFTER_S)
