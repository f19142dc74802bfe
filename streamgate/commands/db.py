"""`streamgate db …`: the tables of all plugins."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from streamgate.commands.options import Stopped, config_option, load_configuration, profile_option


@click.group()
def db() -> None:
    """The database."""


@db.command()
@profile_option
@config_option
def upgrade(profile: str | None, config_file: Path | None) -> None:
    """Bring every plugin's tables to the newest version (the embedded default does this by itself)."""
    from streamgate.plugins import discover
    from streamgate.sdk.db import DatabaseFault, upgrade_all

    settings = load_configuration(profile, config_file).settings
    infos = [f.info for f in discover() if f.info is not None]
    try:
        done = asyncio.run(upgrade_all(settings, infos))
    except DatabaseFault as fault:
        raise Stopped(str(fault)) from fault
    for each in done:
        what = f"{each.before or 'nothing'} → {each.after}" if each.before != each.after else f"at {each.after}"
        click.echo(f"{each.plugin:<12} {what}")
