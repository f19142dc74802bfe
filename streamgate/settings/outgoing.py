"""Requests of ours to addresses that users give: imports, webhooks."""

from __future__ import annotations

import ipaddress
from typing import Any

import attrs

from streamgate.settings.fields import config_field


def _are_networks(_: Any, __: Any, value: tuple[str, ...]) -> None:
    for network in value:
        ipaddress.ip_network(network)  # raises ValueError when it is none


def _are_ports(_: Any, __: Any, value: tuple[int, ...]) -> None:
    if any(not 0 <= port <= 65535 for port in value):
        raise ValueError("must be 0 to 65535 each")


@attrs.frozen(kw_only=True)
class OutgoingSettings:
    """What a URL that a user gives may make us reach. Without exceptions: public addresses only."""

    allow_http: bool = config_field(False, help="Take http: too. Without it https: only.")
    ports: tuple[int, ...] = config_field(
        (80, 443), help="Ports that may be reached; 0 means any.", validator=_are_ports
    )
    allow_hosts: tuple[str, ...] = config_field(
        (), help="Hosts that may have private addresses: names as they are written, `.example.org` for all below one."
    )
    allow_networks: tuple[str, ...] = config_field(
        (), help="Private networks that may be reached after all (10.1.0.0/16).", validator=_are_networks
    )
