"""What the queue tells Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DEPTH = Gauge("streamgate_worker_jobs", "Unfinished jobs", ["kind", "status"])
OLDEST = Gauge("streamgate_worker_oldest_queued_seconds", "Age of the oldest job that may run now", ["kind"])
ENDED = Counter("streamgate_worker_jobs_ended_total", "Jobs that came to an end", ["kind", "status"])
SUBMITTED = Counter("streamgate_worker_jobs_submitted_total", "Jobs that people asked for", ["kind"])
LEASES_LOST = Counter("streamgate_worker_leases_lost_total", "Leases that ran out", ["kind"])
STALE_WORDS = Counter("streamgate_worker_stale_words_total", "Words of runners whose lease was lost")
SCHEDULE_LAG = Histogram(
    "streamgate_worker_schedule_lag_seconds",
    "From a schedule's moment to its job",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 15, 60, 600),
)
