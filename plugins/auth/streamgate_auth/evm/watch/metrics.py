"""What is counted of following chains, and of what is kept."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

WATCH_BEHIND = Gauge(
    "streamgate_auth_watch_behind_blocks",
    "Blocks that the watcher has still to follow; of the process that leads.",
    ("chain",),
)
WATCH_LAG = Gauge(
    "streamgate_auth_watch_lag_seconds",
    "Age of the last new block when its transfers had been told of, by the block's own time.",
    ("chain",),
)
WATCH_FAULTS = Counter(
    "streamgate_auth_watch_faults_total", "Looks at a chain that failed; the next one takes them up.", ("chain",)
)
TRANSFERS = Counter("streamgate_auth_watched_transfers_total", "Transfer logs of the contracts in gates.", ("chain",))
REWINDS = Counter(
    "streamgate_auth_watch_rewinds_total", "Times that the watched branch of a chain was left for another.", ("chain",)
)
OWNERSHIP_READS = Counter(
    "streamgate_auth_ownership_reads_total",
    "Questions about ownership: kept (a few seconds old), watched (kept, and true at the watcher's head), or read.",
    ("answer",),
)
