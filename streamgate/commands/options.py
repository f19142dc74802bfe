"""What several commands have in common: options, the configuration, and how a fault is told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from streamgate.config import Config
    from streamgate.prepare import RunOptions

profile_option = click.option(
    "--profile", type=click.Choice(["dev", "prod", "test"]), default=None, help="Adds config.<profile>.yaml."
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Configuration file instead of config/config.yaml.",
)


def options_of(only: str | None, profile: str | None, config_file: Path | None, **server: Any) -> RunOptions:
    """What the command line says, as the runtime takes it."""
    from streamgate.prepare import RunOptions

    names = None if only is None else tuple(name.strip() for name in only.split(",") if name.strip())
    return RunOptions(only=names, profile=profile or "", config_file=config_file, **server)


class Stopped(click.ClickException):
    """Ends the command: each fault on a line, exit code 2."""

    exit_code = 2

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults: Sequence[str] = faults

    def show(self, file: IO[Any] | None = None) -> None:
        for line in self.faults:
            click.secho(f"streamgate: {line}", err=True, fg="red" if sys.stderr.isatty() else None)


def load_configuration(profile: str | None, config_file: Path | None) -> Config:
    from streamgate.config import ConfigFaults, load_config
    from streamgate.plugins import SelectionFault, discover

    try:
        sections = {f.info.name: f.info.config for f in discover() if f.info is not None and f.info.config is not None}
        return load_config(profile=profile or "", file=config_file, flags={}, sections=sections)
    except SelectionFault as fault:
        raise Stopped(str(fault)) from fault
    except ConfigFaults as fault:
        raise Stopped(*(str(line) for line in fault.faults)) from fault
