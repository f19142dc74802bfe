"""`streamgate config …`: look at the configuration."""

from __future__ import annotations

from pathlib import Path

import click

from streamgate.commands.options import config_option, load_configuration, profile_option


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@profile_option
@config_option
def check(profile: str | None, config_file: Path | None) -> None:
    """Read all layers and name every fault."""
    load_configuration(profile, config_file)
    click.echo("the configuration is good")


@config.command()
@click.option("--origin", is_flag=True, help="Say where each value comes from.")
@profile_option
@config_option
def show(*, origin: bool, profile: str | None, config_file: Path | None) -> None:
    """Print the configuration that would be used; secrets stay hidden."""
    from streamgate.config import render_config

    click.echo(render_config(load_configuration(profile, config_file), with_origins=origin))
