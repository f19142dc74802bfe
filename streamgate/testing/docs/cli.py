"""The reference of the command line, from click."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from streamgate.cli import main
from streamgate.testing.docs.built import NOTE, table

_HEAD = f"""\
# Command line reference

{NOTE}

Faults are told in a line each with what to do, on standard error. The exit code is 0 when it went well, 1 when the
doctor found a fault or a file cannot be transcoded, and 2 when the command could not be carried out as it was given.
"""


def cli_reference() -> str:
    out = [_HEAD]
    for path, command in commands():
        context = click.Context(command, info_name=path)
        usage = " ".join([path, *command.collect_usage_pieces(context)])
        out += [f"## `{path}`", "", inspect.cleandoc(command.help or ""), "", f"    {usage}", ""]
        rows = [_row(context, each) for each in command.params if isinstance(each, click.Option)]
        if rows:
            out += [*table(("Option", "Value", "Default", "What it does"), rows), ""]
        if isinstance(command, click.Group):
            names = command.list_commands(context)
            out += [f"Commands: {', '.join(f'`{name}`' for name in names)}.", ""]
    return "\n".join(out).rstrip() + "\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name, groups ahead of what is in them."""
    yield from _below("streamgate", main)


def _below(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from _below(f"{path} {name}", found)


def _row(context: click.Context, option: click.Option) -> tuple[str, str, str, str]:
    value = "" if option.is_flag else option.make_metavar(context)
    plain = option.default if isinstance(option.default, str | int | float) and not option.is_flag else None
    default = "" if plain is None else f"`{plain}`"
    if option.show_default and not default and option.default is not None and not option.is_flag:
        default = f"`{option.default}`"
    several = " May be repeated." if option.multiple and "repeated" not in (option.help or "") else ""
    return (
        ", ".join(f"`{name}`" for name in option.opts),
        value and f"`{value}`",
        default,
        (option.help or "") + several,
    )
