"""What is counted of gates, beside the decisions themselves."""

from __future__ import annotations

from prometheus_client import Counter

DECISIONS_LEFT_OUT = Counter(
    "streamgate_auth_decisions_left_out_total",
    "Decisions that found no room in the log; each is counted all the same.",
)
