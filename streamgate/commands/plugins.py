"""`streamgate plugins`: what is installed."""

from __future__ import annotations

import click

from streamgate.commands.options import Stopped
from streamgate.plugins import SelectionFault, discover


@click.command()
def plugins() -> None:
    """List the installed plugins, their versions, and those that cannot be loaded."""
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
