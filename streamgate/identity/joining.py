"""From the configuration to the bus of a process: with its identity where processes share one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from streamgate.bus import Bus, Login, open_bus
from streamgate.identity.grants import grants_of, load_everywhere, role_name
from streamgate.plugins import PluginInfo
from streamgate.settings import BusSettings

NONE = "none"


def check_identity(settings: BusSettings, chosen: Sequence[PluginInfo], only: Sequence[str] | None) -> list[str]:
    """What is wrong with the identity of a process that runs these plugins; empty when it may start."""
    if _is_local(settings) or settings.identity == NONE:
        return []
    role = role_name(only)
    make_one = f"`streamgate identity issue --role {role}` makes one"
    if not settings.identity:
        where = f"set STREAMGATE_BUS__IDENTITY to its file ({make_one})"
        return [f"the bus is shared and this process has no identity: {where}, or to `none` on a network of your own"]
    from streamgate.identity.credentials import IdentityFault, load_credentials

    try:
        certificate = load_credentials(Path(settings.identity)).opened()
    except IdentityFault as fault:
        return [f"bus.identity: {fault}"]
    lacking = certificate.grants.lacks(grants_of(chosen, load_everywhere()))
    if lacking:
        whose = f"bus.identity: {settings.identity} is of {certificate.role} and does not let this process"
        return [f"{whose} {'; '.join(lacking)} ({make_one})"]
    return []


def join_bus(settings: BusSettings, *, name: str) -> Bus:
    """The bus of this process; nothing connects before its start.

    Raises:
        IdentityFault: the identity cannot be used.
    """
    url = settings.url.reveal()
    if _is_local(settings) or settings.identity == NONE:
        return open_bus(url, name=name)
    from streamgate.identity.credentials import load_credentials
    from streamgate.identity.nats_config import inbox_prefix
    from streamgate.identity.nkeys import decode_seed, encode_public
    from streamgate.identity.signed import HEADROOM_BYTES, SignedBus

    credentials = load_credentials(Path(settings.identity))
    key = decode_seed(credentials.nats_seed)
    login = Login(public_key=encode_public(key), sign=key.sign, inbox_prefix=inbox_prefix(credentials.opened().role))
    return SignedBus(open_bus(url, name=name, login=login, headroom_bytes=HEADROOM_BYTES), credentials)


def _is_local(settings: BusSettings) -> bool:
    return _scheme(settings) == "memory"


def _scheme(settings: BusSettings) -> str:
    return settings.url.reveal().partition(":")[0]
