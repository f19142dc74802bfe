"""What parameters of requirements on EVM chains must look like; a ValueError's text is shown at the field."""

from __future__ import annotations

import re
from typing import Any

import attrs

from streamgate.errors import StreamgateError
from streamgate.sdk.evm import ZERO_ADDRESS, ChainId, parse_address, parse_chain
from streamgate_auth.evm.chains import Chains

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)


def is_uint256(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and (not _DECIMAL.fullmatch(value) or int(value) >= 1 << 256):
        raise ValueError("must be a whole number below 2^256, written in decimal digits")


def is_at_least_one(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    is_uint256(_, attribute, value)
    if value == "0":
        raise ValueError("must be at least 1")


def is_chain(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        parse_chain(value)
    except StreamgateError as fault:
        raise ValueError("must be a CAIP-2 id of an EVM chain, for instance eip155:1") from fault


def is_contract(_: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    try:
        address = parse_address(value)
    except StreamgateError as fault:
        raise ValueError("must be a contract's address: 0x and 40 hexadecimal digits, its checksum right") from fault
    if address == ZERO_ADDRESS:
        raise ValueError("must not be the zero address")


async def require_chain(chains: Chains, chain: str) -> None:
    """Raises ValueError: nothing here reads this chain."""
    if await chains.get(ChainId(chain)) is None:
        known = ", ".join(await chains.readable()) or "none"
        raise ValueError(f"chain {chain} is not configured; configured: {known}")
