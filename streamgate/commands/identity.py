"""`streamgate identity …`: the operator's side of service identity (`streamgate/identity`)."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import click

from streamgate.commands.options import Stopped
from streamgate.identity.credentials import Credentials, IdentityFault, load_credentials
from streamgate.identity.folder import load_issuer, write_folder
from streamgate.identity.grants import Grants, grants_of, load_everywhere, plugins_of, role_name
from streamgate.identity.issuing import VALID_DAYS, Issuer
from streamgate.plugins import SelectionFault, discover

DAY_S = 86_400
RENEW_BEFORE_DAYS = 120
NONE_YET = "{} has no identities yet: `streamgate identity issue` makes them"
NEXT = {
    "introduced": "start every process anew, one after another; then rotate again, to use the new key",
    "in use": "start every process anew, one after another; in eight days rotate again, to forget the old key",
    "forgotten": "start every process anew, one after another; the rotation is complete",
}

out_option = click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("identity"),
    show_default=True,
    help="Folder of all identities; it stays with the operator.",
)
days_option = click.option(
    "--days", type=click.IntRange(1, 3650), default=VALID_DAYS, show_default=True, help="How long they are good."
)


@click.group()
def identity() -> None:
    """Who may do what on the bus: credentials for each service, and the NATS server's permissions."""


@identity.command()
@click.option("--role", "roles", multiple=True, help="A service, several (auth,metadata) or all; may be repeated.")
@click.option("--forget-former", is_flag=True, help="NATS refuses the roles' former credentials at once.")
@days_option
@out_option
def issue(*, roles: tuple[str, ...], forget_former: bool, days: int, folder: Path) -> None:
    """Write credentials for every installed service (or the roles named), and nats.conf for all of them.

    The first time it makes the identity key as well. Run it again after installing a plugin.
    """
    try:
        wanted = _granted(_named(roles))
        now_s = int(time.time())
        issuer, made = _issued(load_issuer(folder, now_s), wanted, now_s, days)
        if forget_former:
            issuer = issuer.without_former(made)
        written = write_folder(folder, issuer, made)
    except (IdentityFault, SelectionFault) as fault:
        raise Stopped(str(fault)) from fault
    for path in written:
        click.echo(path)
    click.echo("give each process its file (STREAMGATE_BUS__IDENTITY), and nats-server the configuration")


@identity.command()
@click.option(
    "--before-days",
    type=click.IntRange(1, 3650),
    default=RENEW_BEFORE_DAYS,
    show_default=True,
    help="Only when one of them ends within so many days.",
)
@days_option
@out_option
def renew(*, before_days: int, days: int, folder: Path) -> None:
    """Issue all identities anew in good time, and do nothing otherwise: to be run on a schedule.

    Those before stay good until they end, so processes may take theirs up one after another, once NATS has its new
    configuration.
    """
    try:
        now_s = int(time.time())
        issuer = load_issuer(folder, now_s)
        if not issuer.issued:
            raise IdentityFault(NONE_YET.format(folder))
        left_days = (min(each.not_after_s for each in issuer.issued.values()) - now_s) // DAY_S
        if left_days >= before_days:
            click.echo(f"nothing to renew: all identities are good for {left_days} days")
            return
        issuer, made = _issued(issuer, _granted(issuer.issued), now_s, days)
        write_folder(folder, issuer, made)
    except (IdentityFault, SelectionFault) as fault:
        raise Stopped(str(fault)) from fault
    click.echo(f"credentials of {', '.join(made)} and nats.conf are written, good for {days} days")


@identity.command()
@click.option("--at-once", is_flag=True, help="Forget the old key although events signed with it may be waiting.")
@days_option
@out_option
def rotate(*, at_once: bool, days: int, folder: Path) -> None:
    """Change the identity key without a stop: three runs, with all processes started anew between them."""
    try:
        now_s = int(time.time())
        issuer = load_issuer(folder, now_s)
        if not issuer.issued:
            raise IdentityFault(NONE_YET.format(folder))
        issuer, step = issuer.rotate(now_s, at_once=at_once)
        issuer, made = _issued(issuer, _granted(issuer.issued), now_s, days)
        write_folder(folder, issuer, made)
    except (IdentityFault, SelectionFault) as fault:
        raise Stopped(str(fault)) from fault
    click.echo(f"identity key {step}; credentials of {', '.join(made)} and nats.conf are written")
    click.echo(f"next: {NEXT[step]}")


@identity.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def show(*, files: tuple[Path, ...]) -> None:
    """Say whose credentials these files are, what they allow and until when. No key is shown."""
    for path in files:
        try:
            certificate = load_credentials(path).opened()
        except IdentityFault as fault:
            raise Stopped(str(fault)) from fault
        days = int((certificate.not_after_s - time.time()) // DAY_S)
        click.echo(f"{path}: {certificate.role}, {f'good for {days} days' if days >= 0 else 'EXPIRED'}")
        grants = certificate.grants
        for what in ("asks", "answers", "tells", "hears", "prefixes"):
            click.echo(f"  {what:<9} {' '.join(getattr(grants, what)) or '-'}")
        click.echo(f"  as service {'yes' if grants.acts_as_service else 'no'}")


def _named(roles: Iterable[str]) -> list[str]:
    named = [role if role == "all" else role_name(role.replace("+", ",").split(",")) for role in roles]
    return named or [f.name for f in discover() if f.info is not None and f.info.kind == "service"]


def _granted(roles: Iterable[str]) -> dict[str, Grants]:
    found, everywhere = discover(), load_everywhere()
    return {role: grants_of(plugins_of(role, found), everywhere) for role in roles}


def _issued(issuer: Issuer, wanted: dict[str, Grants], now_s: int, days: int) -> tuple[Issuer, dict[str, Credentials]]:
    made: dict[str, Credentials] = {}
    for role, grants in wanted.items():
        issuer, made[role] = issuer.issue(role, grants, now_s, days=days)
    return issuer, made
