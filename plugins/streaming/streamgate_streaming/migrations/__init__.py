"""Streaming's line of table changes."""
