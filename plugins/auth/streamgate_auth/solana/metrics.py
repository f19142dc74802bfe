"""What is counted of Solana alone; the rest is in `metrics.py` of the plugin, by chain."""

from __future__ import annotations

from prometheus_client import Gauge

WATCHED_ACCOUNTS = Gauge(
    "streamgate_auth_solana_watched_accounts",
    "Accounts that this process looks at again, as playback rests on what they hold.",
    ("chain",),
)
