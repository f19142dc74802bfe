"""What Prometheus is told of uploads. Counted where it happens, also where the transaction is repeated (PostgreSQL)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

RECEIVED = Counter(
    "streamgate_upload_received_bytes_total", "Bytes taken from senders and fetched by imports.", ["form"]
)
ENDED = Counter("streamgate_upload_ended_total", "Uploads that came to their end.", ["outcome"])
OPEN = Gauge("streamgate_upload_open_uploads", "Uploads that take bytes, of all processes, at the last look.")
