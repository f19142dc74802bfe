"""`streamgate new-plugin NAME`: the folder of a plugin that works, is tested, and may be changed piece by piece."""

from __future__ import annotations

import importlib.resources
import re
import string
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from streamgate.commands.options import Stopped
from streamgate.config import root_keys
from streamgate.plugins import discover

NAME = re.compile(r"[a-z][a-z0-9_]{1,29}")
SUFFIX = ".tmpl"


class NotMade(Exception):
    """Nothing was written; the message says why and what to do."""


def make(name: str, into: Path) -> list[Path]:
    """Writes `<into>/streamgate-plugin-<name>/`; the files, in order.

    Raises:
        NotMade: the name cannot be one or is taken, or the folder is there.
    """
    if not NAME.fullmatch(name) or name.endswith("_"):
        raise NotMade(f"{name!r} cannot name a plugin: 2 to 30 of a-z, 0-9 and _, beginning with a letter")
    taken = {each.name: each.distribution for each in discover()}
    if name in taken or name in root_keys({}):
        raise NotMade(f"the name {name!r} is taken by {taken.get(name, 'the kernel')}; choose another")
    dashed = name.replace("_", "-")
    folder = into / f"streamgate-plugin-{dashed}"
    if folder.exists():
        raise NotMade(f"{folder} is there already; move it away or choose another name")
    package = f"streamgate_plugin_{name}"
    words = {
        "name": name,
        "dashed": dashed,
        "package": package,
        "upper": name.upper(),
        "title": "".join(part.capitalize() for part in name.split("_")),
    }
    written = []
    for place, template in _templates(importlib.resources.files("streamgate.commands") / "plugin_template", ""):
        path = folder / place.replace("package/", f"{package}/", 1).replace("gitignore", ".gitignore")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(string.Template(template.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
        written.append(path)
    return written


def _templates(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from _templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield f"{prefix}{entry.name.removesuffix(SUFFIX)}", entry


@click.command("new-plugin")
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Instead of here.")
def new_plugin(*, name: str, into: Path) -> None:
    """Write a plugin that works and is tested, to begin from."""
    try:
        written = make(name, into)
    except NotMade as fault:
        raise Stopped(str(fault)) from fault
    for path in written:
        click.echo(f"  {path}")
    click.echo(f"\nnext: cd {written[0].parent}, then see README.md")
