"""The command line. It says what is wrong in a line and exits 2; a traceback here is a defect."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import click

from streamgate import __version__
from streamgate.commands import WithLater
from streamgate.commands.options import Stopped, config_option, options_of, profile_option


@click.group(cls=WithLater, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="streamgate")
def main() -> None:
    """Token-gated video, self-hosted. `streamgate run --all --profile dev` is the place to begin."""


@main.command()
@click.option("--all", "run_all", is_flag=True, help="Every plugin in this process.")
@click.option("--only", default=None, metavar="A[,B]", help="These services alone; they meet over NATS.")
@click.option("--list", "list_only", is_flag=True, help="What could be run, and what each offers and needs.")
@click.option("--host", default=None, help="Address to bind (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="HTTP port (0: any free one).")
@click.option("--engine", type=click.Choice(["hypercorn", "uvicorn"]), default=None, help="HTTP server (hypercorn).")
@profile_option
@config_option
def run(
    *,
    run_all: bool,
    only: str | None,
    list_only: bool,
    host: str | None,
    port: int | None,
    engine: str | None,
    profile: str | None,
    config_file: Path | None,
) -> None:
    """Run plugins: all in one process, or one service per container."""
    if list_only:
        from streamgate.commands.plugins import plugins

        plugins(args=())
    if run_all == (only is not None):
        raise click.UsageError("say either --all or --only NAME[,NAME]")
    gc.disable()  # what is imported stays; collecting among it would take a tenth of the start
    from streamgate.commands.banner import render_banner
    from streamgate.runtime import Process
    from streamgate.runtime import run as run_process
    from streamgate.start import StartFault

    options = options_of(only, profile, config_file, host=host, port=port, engine=engine)

    def on_ready(process: Process) -> None:
        gc.freeze()
        gc.enable()
        click.echo(render_banner(process))

    try:
        code = run_process(options, on_ready=on_ready)
    except StartFault as fault:
        raise Stopped(*fault.faults) from fault
    sys.exit(code)


if __name__ == "__main__":
    main()
