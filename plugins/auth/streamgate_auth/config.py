"""The section `auth` of the configuration."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.errors import StreamgateError
from streamgate.sdk.evm import parse_address, parse_chain
from streamgate.sdk.solana import parse_solana_chain
from streamgate.settings import config_field
from streamgate_auth.accounts import SOLANA, parse_any_address
from streamgate_auth.chain_settings import ChainSettings

__all__ = ["AuthConfig", "ChainSettings"]

EVM_ONLY = ("confirmations", "coin_symbol", "coin_decimals", "multicall", "delegate_registry", "number_from")


def _addresses(_: Any, attribute: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    for text in value:
        try:
            parse_any_address(text)
        except StreamgateError as fault:
            raise ValueError(fault.detail) from fault


def _chains(_: Any, attribute: attrs.Attribute[Any], value: dict[str, ChainSettings]) -> None:
    for chain, settings in value.items():
        try:
            name = parse_solana_chain(chain) if is_solana(chain) else parse_chain(chain)
        except StreamgateError as fault:
            raise ValueError(fault.detail) from fault
        if name != chain:
            raise ValueError(f"{chain}: write it as {name}")
        if is_solana(chain):
            _require_only_solanas(chain, settings)
        if not settings.rpc_urls:
            raise ValueError(f"{chain} has no rpc_urls")
        if not all(url.reveal().startswith(("http://", "https://")) for url in settings.rpc_urls):
            raise ValueError(f"{chain}: each of rpc_urls begins with http:// or https://")
        if settings.quorum > len(settings.rpc_urls):
            raise ValueError(f"{chain}: a quorum of {settings.quorum} needs as many rpc_urls")
        for field, address in (("multicall", settings.multicall), ("delegate_registry", settings.delegate_registry)):
            if address:
                try:
                    parse_address(address)
                except StreamgateError as fault:
                    raise ValueError(f"{chain}: {field}: {fault.detail}") from fault


def _require_only_solanas(chain: str, settings: ChainSettings) -> None:
    """Nobody would read the others."""
    fields = attrs.fields_dict(ChainSettings)
    for name in EVM_ONLY:
        if getattr(settings, name) != fields[name].default:
            raise ValueError(f"{chain}: {name} is for EVM chains")
    if settings.batching == "multicall3":
        raise ValueError(f"{chain}: batching is auto (one JSON-RPC batch) or single")


def is_solana(chain: str) -> bool:
    return chain.startswith(f"{SOLANA}:")


@attrs.frozen(kw_only=True)
class AuthConfig:
    """Addresses are EVM ones in any case, or Solana ones."""

    admins: tuple[str, ...] = config_field((), help="Wallets with the role admin.", validator=_addresses, reload=True)
    moderators: tuple[str, ...] = config_field(
        (), help="Wallets with the role moderator.", validator=_addresses, reload=True
    )
    creators: tuple[str, ...] = config_field(
        (), help="Wallets with the role creator.", validator=_addresses, reload=True
    )
    open_creators: bool = config_field(False, help="Every wallet that signs in may create.", reload=True)
    blocked_addresses: tuple[str, ...] = config_field(
        (), help="Wallets that may watch nothing, whatever they hold.", validator=_addresses
    )
    chains: dict[str, ChainSettings] = config_field(
        factory=dict, help="Chains by CAIP-2 id (eip155:1, solana:mainnet) that gates may name.", validator=_chains
    )
    access_ttl_s: int = config_field(600, help="Life of an access token.", validator=attrs.validators.ge(5))
    refresh_ttl_s: int = config_field(
        2_592_000, help="A sign-in that is not used for so long is over.", validator=attrs.validators.ge(60)
    )
    grace_s: float = config_field(
        0.0,
        help="How long a running session goes on while its chain cannot be read, after the last time it could.",
        validator=attrs.validators.ge(0),
    )
    cache_s: float = config_field(
        3.0,
        help="How long a read of the chain is kept where no watcher vouches for it; 0: nothing is kept.",
        validator=attrs.validators.and_(attrs.validators.ge(0), attrs.validators.le(60)),
    )
    watch_interval_s: float = config_field(
        1.0,
        help="Time between two looks at the head of a chain whose transfers are followed.",
        validator=attrs.validators.and_(attrs.validators.ge(0.05), attrs.validators.le(60)),
    )
    decisions_keep_days: int = config_field(
        30,
        help="How long the log of gate decisions is kept; 0: none is kept.",
        validator=attrs.validators.ge(0),
    )
    wallet_requests_per_minute: int = config_field(
        120,
        help="Challenges for one wallet, and signatures put to one contract wallet, from all addresses together.",
        validator=attrs.validators.ge(1),
    )
    contract_requests_per_minute: int = config_field(
        30,
        help="Signatures from one network address that no key made, so that a chain is asked for a contract wallet.",
        validator=attrs.validators.ge(1),
    )
    requests_per_minute: int = config_field(
        600,
        help="Sign-in requests (challenge, verify, refresh) from one network address.",
        validator=attrs.validators.ge(1),
    )

    @property
    def evm_chains(self) -> dict[str, ChainSettings]:
        return {chain: settings for chain, settings in self.chains.items() if not is_solana(chain)}

    @property
    def solana_chains(self) -> dict[str, ChainSettings]:
        return {chain: settings for chain, settings in self.chains.items() if is_solana(chain)}
