"""Whose address a request has, and which addresses count as one."""

from __future__ import annotations

import functools
import hmac
import ipaddress
from collections.abc import Sequence

IPV6_PREFIX = 64
"""What one customer gets: addresses inside it are free to invent."""

MAX_HOPS = 30
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ClientAddresses:
    """Finds the address behind proxies: the right-most hop of `X-Forwarded-For` that is not one of ours.

    Args:
        proxies: networks whose word counts (`server.trusted_proxies`).
        hop: what our own gateway says with each request that it forwards to this process ("": none does); told over
            the bus, so that nobody else knows it. It has written `X-Forwarded-For` itself, and counted the request.
    """

    def __init__(self, proxies: Sequence[str], hop: str = "") -> None:
        self._networks = [ipaddress.ip_network(proxy, strict=False) for proxy in proxies]
        self.hop = hop
        self._hop = hop.encode()
        self._is_trusted = functools.lru_cache(maxsize=4096)(self._is_in_networks)

    @property
    def believes_nobody(self) -> bool:
        """The address of the connection is always the answer."""
        return not self._networks and not self._hop

    def is_from_gateway(self, hop: bytes) -> bool:
        return bool(self._hop) and hmac.compare_digest(hop, self._hop)

    def find(self, peer: str, forwarded: bytes, hop: bytes) -> str:
        """Args: `peer` of the connection, all `X-Forwarded-For` joined by commas, the hop header; b"" without."""
        is_from_gateway = self.is_from_gateway(hop)
        if not forwarded or not (is_from_gateway or self._is_trusted(peer)):
            return peer
        found = peer
        for step in reversed(forwarded.decode("latin-1").split(",")[-MAX_HOPS:]):
            address = _parse(step)
            if address is None:  # whatever stands further left was not written by a proxy of ours
                return found
            found = str(address)
            if not self._is_trusted(found):
                return found
        return found

    def _is_in_networks(self, text: str) -> bool:
        address = _parse(text)
        return address is not None and any(address in network for network in self._networks)


def _parse(text: str) -> _Address | None:
    """`192.0.2.7`, `192.0.2.7:1234`, `2001:db8::1`, `[2001:db8::1]:1234`; IPv4 inside IPv6 is IPv4."""
    text = text.strip().partition("%")[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address: _Address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@functools.lru_cache(maxsize=8192)
def counted_as(address: str) -> str:
    """The name under which an address is counted: itself, the /64 of an IPv6 one; what is no address, as it is."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return address if parsed is None else str(parsed)


@functools.lru_cache(maxsize=8192)
def is_neighbour(address: str) -> bool:
    """Whether an address is of this machine or a private network."""
    parsed = _parse(address)
    return parsed is None or parsed.is_private or parsed.is_link_local
