"""Requirements on EVM chains in words, for people."""

from __future__ import annotations

from typing import Any

from streamgate.sdk.evm import parse_address

_SPANS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def amount(params: Any) -> str:  # Any: parameters of a kind with min and max
    """`at least 2`, or `2 to 5`, or `exactly 2`."""
    if params.max is None:
        return f"at least {params.min}"
    return f"exactly {params.min}" if params.max == params.min else f"{params.min} to {params.max}"


def base_units(params: Any) -> str:
    """`at least 1 base unit`, or `2 to 5 base units`."""
    count = params.min if params.max is None else params.max
    return f"{amount(params)} base unit{'' if count == '1' else 's'}"


def address(params: Any) -> str:
    return parse_address(params.contract)


def conditions(params: Any) -> str:
    """What goes behind: for how long, at which finality, and whose; "" where there is nothing to say."""
    said = f" for {duration(params.held_for_s)}" if params.held_for_s else ""
    if params.finality is not None:
        which = "" if params.finality == "latest" else f" {params.finality}"
        said += f" as of the latest{which} block"
    return f"{said}, or acts for a wallet that does (delegate.xyz)" if params.delegated else said


def duration(span_s: int) -> str:
    """In the largest unit that says it exactly."""
    unit_s, name = next((unit_s, name) for unit_s, name in _SPANS if span_s % unit_s == 0)
    count = span_s // unit_s
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
