"""What the command line does beside `run`, a file each; imported when it is asked for."""

from __future__ import annotations

import importlib

import click

LATER = ("config", "db", "doctor", "identity", "keys", "new-plugin", "plugins")
"""Commands, and groups of them: `streamgate/commands/<name>.py` has one of that name (with `_` for `-`)."""


class WithLater(click.Group):
    """The main group, which imports those of `LATER` when one of them is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LATER])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LATER:
            return super().get_command(ctx, cmd_name)
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{name}"), name)
        return found
