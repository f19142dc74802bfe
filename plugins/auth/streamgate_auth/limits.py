"""How often one network address may ask. In memory, bounded, per process."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

import attrs
from starlette.requests import Request

from streamgate.errors import TooMany
from streamgate.sdk.clock import Clock
from streamgate.web.client import client_address

MAX_ADDRESSES = 20_000
IPV6_PREFIX = 64  # what one customer gets; addresses inside it are free to invent


@attrs.define
class _Bucket:
    left: float
    at_s: float


class RequestLimit:
    """A token bucket an address: a minute's worth at once, refilled evenly.

    The address is what the layer at the door found; forwarding headers of strangers are not believed.
    """

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, request: Request) -> None:
        """Raises TooMany: 429 with the time after which one more is there."""
        key = _key(client_address(request.scope))
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.setdefault(key, _Bucket(self._per_minute, now_s))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        rate = self._per_minute / 60
        bucket.left = min(self._per_minute, bucket.left + (now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        if bucket.left < 1:
            raise TooMany("too many sign-in requests from this address", retry_after_s=(1 - bucket.left) / rate)
        bucket.left -= 1


def _key(host: str) -> str:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
