"""What the command line does beside `run`, a file each; imported when it is asked for. Plugins add their own by the
entry-point group `streamgate.commands` (a command's name: where its click command is)."""

from __future__ import annotations

import importlib
import importlib.metadata

import click

LATER = ("config", "db", "doctor", "identity", "keys", "new-plugin", "plugins")
"""Commands, and groups of them: `streamgate/commands/<name>.py` has one of that name (with `_` for `-`)."""
GROUP = "streamgate.commands"


class WithLater(click.Group):
    """The main group, which imports those of `LATER`, and those of plugins, when one of them is named. No plugin takes
    the name of one that is here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *LATER, *importlib.metadata.entry_points(group=GROUP).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER:
            name = cmd_name.replace("-", "_")
            found: click.Command = getattr(importlib.import_module(f"{__name__}.{name}"), name)
            return found
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for entry in importlib.metadata.entry_points(group=GROUP, name=cmd_name):
            theirs: click.Command = entry.load()
            return theirs
        return None
