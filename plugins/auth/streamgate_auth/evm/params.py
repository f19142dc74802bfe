"""What parameters of requirements on EVM chains must look like; a ValueError's text is shown at the field."""

from __future__ import annotations

import re
from typing import Any, Literal

import attrs

from streamgate.errors import FieldError, StreamgateError
from streamgate.sdk.evm import ZERO_ADDRESS, ChainId, parse_address, parse_chain
from streamgate.web.structure import FieldFaults
from streamgate_auth.evm.chains import Chains
from streamgate_auth.gate.nodes import BRIEF

Finality = Literal["latest", "safe", "finalized"]
MAX_HELD_FOR_S = 30 * 86_400
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)


def is_uint256(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    if value is not None and (not _DECIMAL.fullmatch(value) or int(value) >= 1 << 256):
        raise ValueError("must be a whole number below 2^256, written in decimal digits")


def is_at_least_one(_: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
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


def is_duration(_: Any, attribute: attrs.Attribute[Any], value: int) -> None:
    if not 0 <= value <= MAX_HELD_FOR_S:
        raise ValueError(f"must be from 0 to {MAX_HELD_FOR_S} seconds (30 days)")


# --- fields that several kinds have (Any: attrs fields) ---------------------------------------------


def min_field() -> Any:
    return attrs.field(default="1", validator=is_at_least_one)


def max_field() -> Any:
    return attrs.field(default=None, validator=is_at_least_one, metadata=BRIEF)


def held_for_field() -> Any:
    return attrs.field(default=0, validator=is_duration, metadata=BRIEF)


def delegated_field() -> Any:
    return attrs.field(default=False, metadata=BRIEF)


def require_order(least: str, most: str | None) -> None:
    """Raises FieldFaults: nobody can hold so many and so few."""
    if most is not None and int(most) < int(least):
        raise FieldFaults([FieldError("max", "must not be less than min")])


async def require_chain(chains: Chains, chain: str) -> None:
    """Raises ValueError: nothing here reads this chain."""
    if await chains.get(ChainId(chain)) is None:
        known = ", ".join(await chains.readable()) or "none"
        raise ValueError(f"chain {chain} is not configured; configured: {known}")


async def require_registry(chains: Chains, chain: str) -> None:
    """Raises ValueError: nobody can say on this chain who delegated to whom."""
    opened = await chains.get(ChainId(chain))
    if opened is not None and not opened.facts.delegate_registry:
        raise ValueError(f"delegated has no use: no delegate registry is known on {chain}")


# --- ranges of token ids ----------------------------------------------------------------------------


class _Ordered:
    """A field cannot have a validator where its name is a word of Python's."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        faults = []
        for name in ("from", "to"):
            try:
                is_uint256(None, None, getattr(self, name))  # type: ignore[arg-type]
            except ValueError as fault:
                faults.append(FieldError(name, str(fault)))
        if faults:
            raise FieldFaults(faults)
        if int(getattr(self, "to")) < int(getattr(self, "from")):  # noqa: B009
            raise FieldFaults([FieldError("to", "must not be less than from")])


TokenRange: type[Any] = attrs.make_class(
    "TokenRange",
    {
        "from": attrs.field(type=str, repr=False, alias="from_"),
        "to": attrs.field(type=str),
    },
    bases=(_Ordered,),
    frozen=True,
    kw_only=True,
    eq=False,
)
TokenRange.__doc__ = "Token ids from one to another, both included."
TokenRange.__module__ = __name__


def range_of(token_ids: Any) -> range:
    """Of a TokenRange."""
    return range(int(getattr(token_ids, "from")), int(token_ids.to) + 1)
