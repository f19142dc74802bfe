"""`streamgate doctor`: what is wrong here, and how to mend it. It changes nothing and may run beside a server."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import click
from loguru import logger

from streamgate.commands import diagnoses
from streamgate.commands.options import config_option, options_of, profile_option
from streamgate.config import Config, ConfigFaults
from streamgate.health import Finding
from streamgate.plugins import Found, SelectionFault, discover
from streamgate.prepare import RunOptions, prepare, read_configuration
from streamgate.start import StartFault

PATIENCE_S = 10.0
"""For one look at one thing."""

MARKS = {"good": "✓", "warning": "!", "fault": "✗"}
COLOURS = {"good": "\x1b[32m", "warning": "\x1b[33m", "fault": "\x1b[31m"}


def examine(options: RunOptions) -> list[Finding]:
    """Everything that was looked at, in the order in which a process would meet it."""
    findings = [diagnoses.of_python(), *_of_plugins()]
    try:
        config = read_configuration(options)()
    except SelectionFault:
        return findings  # said above
    except ConfigFaults as fault:
        return [*findings, *(Finding(level="fault", subject="configuration", said=str(each)) for each in fault.faults)]
    findings += _of_configuration(config)
    return findings + asyncio.run(_look(options, config))


def render(findings: Sequence[Finding], *, colours: bool) -> str:
    """Lines for people, and a last one that counts."""

    def lines() -> Iterator[str]:
        for each in findings:
            mark = f"{COLOURS[each.level]}{MARKS[each.level]}\x1b[0m" if colours else MARKS[each.level]
            yield f"{mark} {each.subject:<14} {each.said}"
            if each.remedy:
                yield f"  {'':<14} → {each.remedy}"
        faults = sum(each.level == "fault" for each in findings)
        warnings = sum(each.level == "warning" for each in findings)
        yield f"\n{_count(faults, 'fault')}, {_count(warnings, 'warning')}"

    return "\n".join(lines())


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _of_plugins() -> list[Finding]:
    try:
        found = discover()
    except SelectionFault as fault:
        return [Finding(level="fault", subject="plugins", said=str(fault))]
    broken = [
        Finding(
            level="fault" if each.is_builtin else "warning",
            subject=f"plugin {each.name}",
            said=f"cannot be loaded: {each.fault}",
            remedy=f"install {each.distribution} anew, or uninstall it",
        )
        for each in found
        if each.fault
    ]
    usable = [each.name for each in found if each.info is not None]
    return [*broken, Finding(level="good", subject="plugins", said=f"{len(usable)}: {', '.join(usable)}")]


def _of_configuration(config: Config) -> list[Finding]:
    said = f"profile {config.settings.profile or 'none'}; {', '.join(config.files) or 'no file, defaults only'}"
    notes = [Finding(level="warning", subject="configuration", said=note) for note in config.notes]
    return [Finding(level="good", subject="configuration", said=said), *notes]


async def _look(options: RunOptions, config: Config) -> list[Finding]:
    from streamgate.sdk import diagnoses as of_stores

    found = discover()
    looks: list[tuple[str, Callable[[], Awaitable[Sequence[Finding]]]]] = [
        ("start", lambda: _of_start(options)),
        ("data", lambda: diagnoses.of_data_directory(config.settings)),
        ("master key", lambda: diagnoses.of_master_key(config.settings)),
        ("bus", lambda: diagnoses.of_bus(config.settings)),
        ("database", lambda: of_stores.of_database(config.settings, found)),
        ("blobs", lambda: of_stores.of_blobs(config.settings)),
        ("limits", lambda: of_stores.of_limits(config.settings)),
    ]
    looks += [(each.name, _asked(each, config)) for each in found if each.info is not None and each.info.diagnose]
    asked = await asyncio.gather(*(_patiently(subject, look) for subject, look in looks))
    return [finding for answer in asked for finding in answer]


def _asked(plugin: Found, config: Config) -> Callable[[], Awaitable[Sequence[Finding]]]:
    async def ask() -> Sequence[Finding]:
        info = plugin.info
        assert info is not None
        assert info.diagnose is not None
        return await info.diagnose(config.settings, None if info.config is None else config.section(info.name))

    return ask


async def _patiently(subject: str, look: Callable[[], Awaitable[Sequence[Finding]]]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await look()
    except TimeoutError:
        remedy = "see that what it asks can be reached from this machine"
        return [Finding(level="fault", subject=subject, said=f"no answer within {PATIENCE_S:g} s", remedy=remedy)]
    except Exception as fault:  # a doctor that falls ill himself says so and goes on
        return [Finding(level="fault", subject=subject, said=f"could not be examined: {type(fault).__name__}: {fault}")]


async def _of_start(options: RunOptions) -> Sequence[Finding]:
    try:
        prepared = prepare(options)
    except StartFault as fault:
        return [Finding(level="fault", subject="start", said=line) for line in fault.faults]
    return [*diagnoses.of_ports(prepared.listeners), *diagnoses.of_public_url(prepared.config.settings)]


@click.command()
@click.option("--only", default=None, metavar="A[,B]", help="As `run --only` would start them.")
@profile_option
@config_option
def doctor(*, only: str | None, profile: str | None, config_file: Path | None) -> None:
    """Say what is wrong here and how to mend it; changes nothing."""
    logger.remove()  # what is wrong stands in the findings
    findings = examine(options_of(only, profile, config_file))
    click.echo(render(findings, colours=sys.stdout.isatty()))
    sys.exit(1 if any(each.level == "fault" for each in findings) else 0)
