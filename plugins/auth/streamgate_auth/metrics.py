"""What is counted of sign-in, gates and chains."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SIGN_INS = Counter(
    "streamgate_auth_sign_ins_total",
    "Answers to challenges, by scheme and outcome (done, or the error's code).",
    ("scheme", "outcome"),
)
DECISIONS = Counter("streamgate_auth_decisions_total", "Gate decisions, by outcome.", ("outcome",))
RPC_CALLS = Counter(
    "streamgate_auth_rpc_calls_total",
    "Requests to chain endpoints, by endpoint number and outcome (answered, overtaken by another, or the fault).",
    ("chain", "endpoint", "outcome"),
)
RPC_HEDGES = Counter(
    "streamgate_auth_rpc_hedges_total", "Second endpoints asked because the first was slower than usual.", ("chain",)
)
RPC_DISAGREEMENTS = Counter(
    "streamgate_auth_rpc_disagreements_total", "Chain reads on which too few endpoints agreed.", ("chain",)
)
RPC_BREAKER = Gauge(
    "streamgate_auth_rpc_breaker", "Breaker of an endpoint: 0 closed, 1 half open, 2 open.", ("chain", "endpoint")
)
RPC_LAG = Gauge(
    "streamgate_auth_rpc_lag_blocks", "Blocks that an endpoint is behind the others.", ("chain", "endpoint")
)
RPC_SECONDS = Histogram(
    "streamgate_auth_rpc_seconds",
    "Time of one request to a chain endpoint.",
    ("chain",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
