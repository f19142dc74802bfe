"""From a URL to the addresses that may be connected to: parsed once, resolved once, every address checked."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from streamgate.sdk.outgoing.addresses import Address, Network, why_refused
from streamgate.sdk.outgoing.errors import AddressRefused, Unreachable, UrlRefused
from streamgate.settings import OutgoingSettings

if TYPE_CHECKING:
    import httpx

URL_MAX_CHARS = 2048
ADDRESSES_MAX = 32

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses, as texts. OSError where there are none."""

_UNFIT = re.compile(r"[\x00-\x20\x7f\\]")
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class Target:
    """A URL that was checked, and where its host is. Only these addresses may be connected to."""

    url: httpx.URL
    host: str
    port: int
    addresses: tuple[Address, ...]


class Guard:
    """Args:
    resolve: asked once a request; the system's own resolver by default.
    """

    def __init__(self, settings: OutgoingSettings, *, resolve: Resolver | None = None) -> None:
        self._settings = settings
        self._networks: tuple[Network, ...] = tuple(map(ipaddress.ip_network, settings.allow_networks))
        self._hosts = tuple(host.lower().rstrip(".") for host in settings.allow_hosts)
        self._resolve = resolve or system_resolver

    def check_url(self, url: str) -> httpx.URL:
        """The URL without its fragment, as far as it can be checked without a resolver.

        Raises:
            UrlRefused: too long, not http(s), a port or host that may not be, a user name or password.
            AddressRefused: its host is an address that is not public.
        """
        import httpx

        if len(url) > URL_MAX_CHARS or _UNFIT.search(url):
            raise UrlRefused(f"A URL has at most {URL_MAX_CHARS} characters, without blanks and backslashes")
        try:
            parsed = httpx.URL(url)
            host = parsed.raw_host.decode("ascii").lower().rstrip(".")
        except (httpx.InvalidURL, UnicodeError) as fault:
            raise UrlRefused("The URL cannot be read") from fault
        schemes = ("https", "http") if self._settings.allow_http else ("https",)
        if parsed.scheme not in schemes:
            raise UrlRefused(f"The URL must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        if parsed.userinfo:
            raise UrlRefused("The URL must not hold a user name or password")
        if not host:
            raise UrlRefused("The URL has no host")
        port = _port_of(parsed)
        if port == 0 or not {port, 0}.intersection(self._settings.ports):
            raise UrlRefused(f"The URL's port must be one of {', '.join(map(str, self._settings.ports))}")
        literal = _literal(host)
        if literal is not None:
            self._check(host, literal)
        elif _LOOKS_NUMERIC.fullmatch(host):  # 2130706433, 0x7f.1, 0177.0.0.1: resolvers take them for addresses
            raise UrlRefused("Write the host as a name, or as an address in its usual form")
        return parsed.copy_with(fragment=None)

    async def target(self, url: str) -> Target:
        """Where the URL leads now.

        Raises:
            UrlRefused, AddressRefused (any one of its addresses is not public), Unreachable (it has none).
        """
        parsed = self.check_url(url)
        host = parsed.raw_host.decode("ascii").lower()
        port = _port_of(parsed)
        literal = _literal(host)
        if literal is not None:
            return Target(parsed, host, port, (literal,))
        try:
            found = await self._resolve(host, port)
            addresses = tuple(dict.fromkeys(ipaddress.ip_address(text) for text in found))
        except (OSError, ValueError, UnicodeError) as fault:
            raise Unreachable(f"The host {host} cannot be found") from fault
        if not addresses or len(addresses) > ADDRESSES_MAX:
            raise Unreachable(f"The host {host} has no addresses that can be used")
        for address in addresses:
            self._check(host, address)
        return Target(parsed, host, port, addresses)

    def _check(self, host: str, address: Address) -> None:
        why = why_refused(address)
        if why and not self._is_allowed(host, address):
            raise AddressRefused(f"The host {host} has the address of a network that is not public ({why})")

    def _is_allowed(self, host: str, address: Address) -> bool:
        name = host.rstrip(".")
        if any(name == allowed or (allowed.startswith(".") and name.endswith(allowed)) for allowed in self._hosts):
            return True
        plain = address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
        return any(plain in network for network in self._networks)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _port_of(url: httpx.URL) -> int:
    return _DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
