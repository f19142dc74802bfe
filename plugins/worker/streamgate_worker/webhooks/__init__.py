"""Telling other people's servers: signed as Standard Webhooks says, to public addresses only."""
