"""The command line. It says what is wrong in a line and exits 2; a traceback here is a defect."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamgate import __version__
from streamgate.commands import WithLater
from streamgate.commands.options import Stopped, config_option, profile_option

if TYPE_CHECKING:
    from streamgate.prepare import RunOptions


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
        _print_plugins()
        return
    if run_all == (only is not None):
        raise click.UsageError("say either --all or --only NAME[,NAME]")
    gc.disable()  # what is imported stays; collecting among it would take a tenth of the start
    from streamgate.commands.banner import render_banner
    from streamgate.runtime import Process
    from streamgate.runtime import run as run_process
    from streamgate.start import StartFault

    options = _options(only=only, profile=profile, config_file=config_file, host=host, port=port, engine=engine)

    def on_ready(process: Process) -> None:
        gc.freeze()
        gc.enable()
        click.echo(render_banner(process))

    try:
        code = run_process(options, on_ready=on_ready)
    except StartFault as fault:
        raise Stopped(*fault.faults) from fault
    sys.exit(code)


def _options(*, only: str | None, profile: str | None, config_file: Path | None, **server: Any) -> RunOptions:
    from streamgate.prepare import RunOptions

    names = None if only is None else tuple(name.strip() for name in only.split(",") if name.strip())
    return RunOptions(only=names, profile=profile or "", config_file=config_file, **server)


@main.command()
def plugins() -> None:
    """List the installed plugins, their versions, and those that cannot be loaded."""
    _print_plugins()


def _print_plugins() -> None:
    from streamgate.plugins import SelectionFault, discover

    try:
        found = discover()
    except SelectionFault as fault:
        raise Stopped(str(fault)) from fault
    for each in found:
        head = f"{each.name:<12} {each.version:<8}"
        if each.info is None:
            click.echo(f"{head} BROKEN ({each.distribution}): {each.fault}")
            continue
        info = each.info
        where = f"port {info.port}" if info.kind == "service" else f"extends {', '.join(info.extends)}"
        only_in = f"; profile {' or '.join(info.profiles)} only" if info.profiles else ""
        click.echo(f"{head} {info.summary} ({where}{only_in})")
        offers = ", ".join(ref.name for ref in info.offers) or "-"
        needs = ", ".join(ref.name for ref in info.needs) or "-"
        click.echo(f"{'':<12} {'':<8} offers {offers}; needs {needs}")


@main.command()
@click.option("--only", default=None, metavar="A[,B]", help="As `run --only` would start them.")
@profile_option
@config_option
def doctor(*, only: str | None, profile: str | None, config_file: Path | None) -> None:
    """Say what is wrong here and how to mend it; changes nothing."""
    from streamgate.commands.doctor import main as examine

    sys.exit(examine(_options(only=only, profile=profile, config_file=config_file)))


@main.command("new-plugin")
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Instead of here.")
def new_plugin(*, name: str, into: Path) -> None:
    """Write a plugin that works and is tested, to begin from."""
    from streamgate.commands.new_plugin import NotMade, make

    try:
        written = make(name, into)
    except NotMade as fault:
        raise Stopped(str(fault)) from fault
    for path in written:
        click.echo(f"  {path}")
    click.echo(f"\nnext: cd {written[0].parent}, then see README.md")


if __name__ == "__main__":
    main()
