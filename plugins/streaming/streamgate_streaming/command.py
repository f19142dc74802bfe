"""`streamgate revoke`: playback is taken back, or given again, on a running server; `streamgate stream rekey`."""

from __future__ import annotations

from typing import Any

import click

from streamgate.commands.remote import Server, remote_options

PATH = "/api/v1/stream"


def _seconds(ctx: click.Context, option: click.Parameter, text: str) -> float:
    from streamgate.config.values import Unfit, from_variable, parse

    try:
        return float(parse(float, from_variable(float, text, is_duration=True)))
    except Unfit as fault:
        raise click.BadParameter(f"{text!r} is no duration: write 90s, 10m, 1h30m", ctx, option) from fault


@click.command()
@click.option("--content", "content_id", default="", metavar="ID", help="Of this content.")
@click.option("--user", "user_id", default="", metavar="ID", help="This person's.")
@click.option("--address", default="", metavar="WALLET", help="Of whoever has this wallet.")
@click.option("--everyone", is_flag=True, help="Everybody's, of everything.")
@click.option(
    "--for",
    "for_s",
    callback=_seconds,
    default="0s",
    metavar="TIME",
    help="Refuse new sessions for so long (90s, 10m, 2h).",
)
@click.option("--reason", default="", metavar="TEXT", help="Shown to whom it concerns.")
@click.option("--list", "list_only", is_flag=True, help="Show what is refused now, of --content or everywhere.")
@click.option("--lift", default="", metavar="ID", help="Let them watch again whom this one refuses.")
@remote_options
def revoke(
    *,
    content_id: str,
    user_id: str,
    address: str,
    everyone: bool,
    for_s: float,
    reason: str,
    list_only: bool,
    lift: str,
    **where: Any,
) -> None:
    """End playback at once in a running server; with --for refuse new sessions, too.

    Of one viewer of a content (--content with --user or --address), of a whole content, of somebody everywhere, or of
    everyone.
    """
    wanted = {
        "content_id": content_id,
        "user_id": user_id,
        "address": address,
        "everyone": everyone,
        "for_s": for_s,
        "reason": reason,
    }
    beside_list = any((user_id, address, everyone, for_s, reason))
    if (lift and (list_only or any(wanted.values()))) or (list_only and beside_list):
        raise click.UsageError("--lift stands alone, and --list beside --content alone")
    server = Server(**where)
    if lift:
        server.ask("DELETE", f"{PATH}/revocations/{lift}")
        click.echo("lifted: they may open sessions again")
    elif list_only:
        _list(server, content_id)
    else:
        done = server.ask("POST", f"{PATH}/revoke", body=wanted).json()
        count = done["sessions_ended"]
        click.echo("1 session ended" if count == 1 else f"{count} sessions ended")
        if done["revocation_id"]:
            click.echo(f"new ones are refused until {done['until']}; to undo: --lift {done['revocation_id']}")


def _list(server: Server, content_id: str) -> None:
    cursor: str | None = ""
    while cursor is not None:
        query = {"content_id": content_id, "cursor": cursor}
        page = server.ask("GET", f"{PATH}/revocations", query=query).json()
        for each in page["items"]:
            whose = each["user_id"] or each["address"] or "everybody"
            what = each["content_id"] or "everything"
            click.echo(f"{each['revocation_id']}  {what}  {whose}  until {each['until']}  {each['reason']}".rstrip())
        cursor = page["next_cursor"]


@click.group()
def stream() -> None:
    """What plays on a running server."""


@stream.command()
@click.argument("content_id", metavar="CONTENT")
@remote_options
def rekey(*, content_id: str, **where: Any) -> None:
    """Give an encrypted CONTENT new keys.

    What plays ends, and is opened again by players that do. Nothing is made again, and whoever has kept a key from
    before can open nothing that is served from then on.
    """
    done = Server(**where).ask("POST", f"{PATH}/rekey", body={"content_id": content_id}).json()
    count = done["sessions_ended"]
    ended = "1 session ended" if count == 1 else f"{count} sessions ended"
    click.echo(f"new keys: media version {done['media_version']}; {ended}")
