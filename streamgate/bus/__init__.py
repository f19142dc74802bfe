"""The bus: bytes between processes (or inside one). `base.py` has the promises, one file an implementation."""

from streamgate.bus.base import (
    MAX_PAYLOAD_BYTES,
    Bus,
    BusUnavailable,
    Handler,
    PayloadTooLarge,
    Reject,
    Subscription,
    open_bus,
)

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "Bus",
    "BusUnavailable",
    "Handler",
    "PayloadTooLarge",
    "Reject",
    "Subscription",
    "open_bus",
]
