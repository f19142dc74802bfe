"""What parameters of requirements on Solana must look like; a ValueError's text is shown at the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, Protocol

import attrs

from streamgate.errors import FieldError, StreamgateError
from streamgate.sdk.solana import CHAINS, parse_solana_address, parse_solana_chain
from streamgate.web.structure import FieldFaults
from streamgate_auth.gate.nodes import BRIEF
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


class Amounts(Protocol):
    """What the parameters of all kinds have. `max` None: there is none."""

    @property
    def chain(self) -> str: ...

    @property
    def contract(self) -> str: ...

    @property
    def min(self) -> str: ...

    @property
    def max(self) -> str | None: ...

    @property
    def finality(self) -> Finality | None: ...


def is_amount(most: int) -> Callable[[Any, attrs.Attribute[Any], str | None], None]:
    def check(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
        if value is not None and (not _DECIMAL.fullmatch(value) or int(value) > most):
            raise ValueError(f"must be a whole number from 1 to {most}, written in decimal digits")

    return check


def chain_field() -> Any:  # Any: an attrs field
    return attrs.field(validator=is_cluster)


def account_field() -> Any:
    return attrs.field(validator=is_account)


def amount_field(most: int = MAX_AMOUNT) -> Any:
    return attrs.field(default="1", validator=is_amount(most))


def max_field(most: int = MAX_AMOUNT) -> Any:
    return attrs.field(default=None, validator=is_amount(most), metadata=BRIEF)


def require_order(params: Amounts) -> None:
    """Raises FieldFaults."""
    if params.max is not None and int(params.max) < int(params.min):
        raise FieldFaults([FieldError("max", "must not be less than min")])


def so_many(params: Amounts, one: str, many: str) -> str:
    if params.max is None:
        return one if params.min == "1" else f"at least {params.min} {many}"
    return f"exactly {params.min} {many}" if params.max == params.min else f"{params.min} to {params.max} {many}"


async def require_cluster(chains: SolanaChains, chain: str) -> None:
    """Raises ValueError: nothing here reads this cluster."""
    if chains.get(parse_solana_chain(chain)) is None:
        known = ", ".join(chains.configured) or "none of Solana"
        raise ValueError(f"chain {chain} is not configured; configured: {known}")
