"""The bus: bytes between processes (or inside one). `base.py` has the promises, one file an implementation."""

from streamgate.bus.base import Bus, Handler, Subscription, open_bus

__all__ = ["Bus", "Handler", "Subscription", "open_bus"]
