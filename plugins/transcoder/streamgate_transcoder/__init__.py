"""The transcoder plugin: makes media plans and immutable segments in child processes, and keeps no state."""
