"""`streamgate keys …`: the master key, the keys under it, and auth's signing keys."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

import click

from streamgate.commands.options import Stopped, config_option, load_configuration, profile_option
from streamgate.plugins import discover

TIMEOUT_S = 20.0
ROTATE_PATH = "/api/v1/auth/keys/rotate"
DEFAULT_URL = "http://127.0.0.1:9090"


@click.group()
def keys() -> None:
    """The master key, the keys under it, and the keys that sign tokens."""


@keys.command()
def generate() -> None:
    """Print a fresh master key (32 bytes, base64)."""
    click.echo(base64.b64encode(os.urandom(32)).decode())


@keys.command()
@click.option("--dry-run", is_flag=True, help="Count only; change nothing.")
@profile_option
@config_option
def rewrap(*, dry_run: bool, profile: str | None, config_file: Path | None) -> None:
    """Wrap every key in the database under the master key in use.

    Before: the new key is secrets.master_key and the old one in secrets.previous_master_keys, in every process. After:
    the old one can be removed. It may be run again at any time. With SQLite the server has to be stopped.
    """
    from streamgate.sdk.db import DatabaseFault
    from streamgate.sdk.rewrap import rewrap_all
    from streamgate.sdk.secrets import MasterKeyFault, load_master_key

    settings = load_configuration(profile, config_file).settings
    infos = [f.info for f in discover() if f.info is not None]
    try:
        done = asyncio.run(rewrap_all(settings, infos, load_master_key(settings), dry_run=dry_run))
    except (DatabaseFault, MasterKeyFault) as fault:
        raise Stopped(str(fault)) from fault
    verb = "to wrap" if dry_run else "wrapped"
    for each in done:
        click.echo(f"{each.plugin:<12} {each.keys} keys, {each.changed} {verb} under the key in use")
    if not dry_run:
        click.echo("every key is under the master key in use: former ones can be removed from the configuration")


@keys.command()
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where StreamGate is.")
@click.option(
    "--api-key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An administrator's API key; without it, the local administrator's in the data directory.",
)
@profile_option
@config_option
def rotate(*, url: str, api_key_file: Path | None, profile: str | None, config_file: Path | None) -> None:
    """Make a new key for signing tokens; tokens signed before stay good until they expire."""
    import httpx

    path = api_key_file or load_configuration(profile, config_file).settings.data_dir / "admin.key"
    try:
        api_key = path.read_text(encoding="utf-8").strip()
    except OSError as fault:
        raise Stopped(
            f"{path} cannot be read ({fault.strerror}): name an administrator's key with --api-key-file, or run this "
            "where the server keeps its data"
        ) from fault
    try:
        answer = httpx.post(
            f"{url.rstrip('/')}{ROTATE_PATH}", headers={"X-API-Key": api_key}, timeout=TIMEOUT_S, trust_env=False
        )
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise Stopped(f"{url} did not answer: {type(fault).__name__}") from fault
    if answer.is_error:
        raise Stopped(f"{url} answered {answer.status_code}: {_detail(answer)}")
    click.echo(f"rotated: {answer.text}")


def _detail(answer: object) -> str:
    """What a problem document says, or the beginning of whatever it is."""
    import httpx

    assert isinstance(answer, httpx.Response)
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
