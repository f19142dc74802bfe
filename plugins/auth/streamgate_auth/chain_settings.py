"""How one chain is read: a section of `auth.chains`. What is not said is as `evm/known_chains.json` has it."""

from __future__ import annotations

from typing import Literal

import attrs

from streamgate.settings import Secret, config_field

_ge = attrs.validators.ge
_maybe = attrs.validators.optional


@attrs.frozen(kw_only=True)
class ChainSettings:
    """One chain and the nodes it is read by."""

    rpc_urls: tuple[Secret, ...] = config_field((), help="JSON-RPC endpoints, best first; they often hold a key.")
    quorum: int = config_field(
        1,
        help="So many endpoints must agree at the same block; else the answer is unknown.",
        validator=_ge(1),
    )
    confirmations: int | None = config_field(
        None,
        help="A token opens only when it was held this many blocks ago, too. Unset: as the chain is known, else 0.",
        validator=_maybe(_ge(0)),
    )
    finality: Literal["latest", "safe", "finalized"] = config_field(
        "latest",
        help="The block at which a token must be held to open, besides the newest: safe and finalized are the chain's "
        "own words and take the place of confirmations. A rule may ask for another.",
    )
    timeout_s: float = config_field(2.0, help="Longest wait for one endpoint.", validator=_ge(0.05))
    hedge_s: float = config_field(
        0.5,
        help="A second endpoint is asked when the first has not answered after so long, or after its own p95 where "
        "that is shorter.",
        validator=_ge(0.01),
    )
    max_lag_blocks: int = config_field(
        10, help="An endpoint that is further behind the others is not believed.", validator=_ge(0)
    )
    max_answer_bytes: int = config_field(1_048_576, help="Largest answer of an endpoint.", validator=_ge(65_536))
    batch_size: int = config_field(100, help="Most reads that go together.", validator=_ge(1))
    batching: Literal["auto", "multicall3", "single"] = config_field(
        "auto",
        help="How reads go together. auto: in one call that creates a contract and keeps nothing; where a node cannot, "
        "by Multicall3, else singly. multicall3, single: the others alone. On Solana auto is a JSON-RPC batch.",
    )
    watch: bool = config_field(
        True, help="Follow the transfers of the tokens that gates name, so that playback ends within 2 s of one."
    )
    name: str | None = config_field(None, help="For people.")
    coin_symbol: str | None = config_field(None, help="Of the chain's own coin.")
    coin_decimals: int | None = config_field(
        None, help="Of the chain's own coin.", validator=_maybe(attrs.validators.and_(_ge(0), attrs.validators.le(77)))
    )
    block_time_s: float | None = config_field(None, help="Usual time between two blocks.", validator=_maybe(_ge(0.01)))
    multicall: str | None = config_field(None, help="Address of Multicall3; empty where there is none.")
    delegate_registry: str | None = config_field(None, help="Address of delegate.xyz v2; empty where there is none.")
    explorer: str | None = config_field(None, help="An address' page is at <explorer>/address/<address>.")
    marketplace: str | None = config_field(
        None, help="Page of a collection, with {contract} in it; a token's is at /<token id> behind it."
    )
    number_from: Literal["known", "opcode", "arbsys"] = config_field(
        "known",
        help="How contracts on the chain learn its block number; arbsys on Arbitrum's chains. known: as listed, "
        "else opcode.",
    )
