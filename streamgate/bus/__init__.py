"""The bus: bytes between processes (or inside one). `base.py` has the promises, one file an implementation."""

from streamgate.bus.base import Bus, open_bus

__all__ = ["Bus", "open_bus"]
