"""What parameters of requirements on Solana must look like; a ValueError's text is shown at the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import attrs

from streamgate.errors import StreamgateError
from streamgate.sdk.solana import CHAINS, parse_solana_address, parse_solana_chain
from streamgate_auth.solana.chains import SolanaChains

MAX_AMOUNT = (1 << 64) - 1  # what a token account can hold
_DECIMAL = re.compile(r"[1-9][0-9]{0,19}", re.ASCII)
Finality = Literal["latest", "safe", "finalized"]


def is_cluster(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        parse_solana_chain(value)
    except StreamgateError as fault:
        raise ValueError(f"must be a Solana cluster: {', '.join(CHAINS)}") from fault


def is_account(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is None:
        return
    try:
        parse_solana_address(value)
    except StreamgateError as fault:
        raise ValueError("must be an address on Solana: base58 of 32 bytes") from fault


def is_amount(most: int) -> Callable[[Any, attrs.Attribute[Any], str], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
        if not _DECIMAL.fullmatch(value) or int(value) > most:
            raise ValueError(f"must be a whole number from 1 to {most}, written in decimal digits")

    return check


def chain_field() -> Any:  # Any: an attrs field
    return attrs.field(validator=is_cluster)


def account_field() -> Any:
    return attrs.field(validator=is_account)


def amount_field(most: int = MAX_AMOUNT) -> Any:
    return attrs.field(default="1", validator=is_amount(most))


async def require_cluster(chains: SolanaChains, chain: str) -> None:
    """Raises ValueError: nothing here reads this cluster."""
    if chains.get(parse_solana_chain(chain)) is None:
        known = ", ".join(chains.configured) or "none of Solana"
        raise ValueError(f"chain {chain} is not configured; configured: {known}")
