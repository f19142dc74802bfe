"""Texts as both databases take them."""

from __future__ import annotations

from collections.abc import Mapping


def storable(text: str) -> str:
    """PostgreSQL has no text with U+0000, and paths and log lines may."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def storable_fields(fields: Mapping[str, str]) -> dict[str, str]:
    return {storable(name): storable(text) for name, text in fields.items()}
