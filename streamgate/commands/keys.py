"""`streamgate keys …`: the master key, the keys under it, and auth's signing keys."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any

import click

from streamgate.commands.options import Stopped, config_option, load_configuration, profile_option
from streamgate.commands.remote import Server, remote_options
from streamgate.plugins import discover

ROTATE_PATH = "/api/v1/auth/keys/rotate"


@click.group()
def keys() -> None:
    """The master key, the keys under it, and the keys that sign tokens."""


@keys.command()
def generate() -> None:
    """Print a fresh master key (32 bytes, base64)."""
    click.echo(base64.b64encode(os.urandom(32)).decode())


@keys.command()
@click.option("--dry-run", is_flag=True, help="Count only; change nothing.")
@profile_option
@config_option
def rewrap(*, dry_run: bool, profile: str | None, config_file: Path | None) -> None:
    """Wrap every key in the database under the master key in use.

    Before: the new key is secrets.master_key and the old one in secrets.previous_master_keys, in every process. After:
    the old one can be removed. It may be run again at any time. With SQLite the server has to be stopped.
    """
    from streamgate.sdk.db import DatabaseFault
    from streamgate.sdk.rewrap import rewrap_all
    from streamgate.sdk.secrets import MasterKeyFault, load_master_key

    settings = load_configuration(profile, config_file).settings
    infos = [f.info for f in discover() if f.info is not None]
    try:
        done = asyncio.run(rewrap_all(settings, infos, load_master_key(settings), dry_run=dry_run))
    except (DatabaseFault, MasterKeyFault) as fault:
        raise Stopped(str(fault)) from fault
    verb = "to wrap" if dry_run else "wrapped"
    for each in done:
        click.echo(f"{each.plugin:<12} {each.keys} keys, {each.changed} {verb} under the key in use")
    if not dry_run:
        click.echo("every key is under the master key in use: former ones can be removed from the configuration")


@keys.command()
@remote_options
def rotate(**where: Any) -> None:
    """Make a new key for signing tokens; tokens signed before stay good until they expire."""
    click.echo(f"rotated: {Server(**where).ask('POST', ROTATE_PATH).text}")
