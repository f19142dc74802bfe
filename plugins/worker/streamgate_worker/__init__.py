"""The durable queue: jobs, leases, schedules."""
