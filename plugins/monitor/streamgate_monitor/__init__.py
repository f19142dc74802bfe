"""One health report for all services."""
