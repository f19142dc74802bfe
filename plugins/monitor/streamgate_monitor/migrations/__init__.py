"""The worker's tables, revision by revision."""
