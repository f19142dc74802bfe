"""What a process tells of itself: logs, and what grows beside them."""

from streamgate.telemetry.logs import redact, setup_telemetry

__all__ = ["redact", "setup_telemetry"]
