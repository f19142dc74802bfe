"""`streamgate keys …`: the master key, and the keys under it."""

from __future__ import annotations

import base64
import os

import click


@click.group()
def keys() -> None:
    """The master key, and the keys under it."""


@keys.command()
def generate() -> None:
    """Print a fresh master key (32 bytes, base64)."""
    click.echo(base64.b64encode(os.urandom(32)).decode())
