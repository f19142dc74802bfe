"""How often may be asked: from one network address, and about one wallet. In memory, bounded, per process."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
from starlette.requests import Request

from streamgate.contracts.hooks import SigningFacts
from streamgate.errors import TooMany
from streamgate.sdk.clock import Clock
from streamgate.web.client import client_address
from streamgate.web.problems import RawHeaders
from streamgate.web.routes import ANSWER_HEADERS, REFUSED_KEY

MAX_BUCKETS = 20_000
TRIES_PER_CHALLENGE = 10  # a minute; an owner that waits for the others of a multisignature wallet asks again
IPV6_PREFIX = 64  # what one customer gets; addresses inside it are free to invent


@attrs.define
class _Bucket:
    left: float
    at_s: float


class Spent(TooMany):
    """`limit`: a minute. `reset_s`: until all are back."""

    def __init__(self, detail: str, *, retry_after_s: float, limit: int, reset_s: float) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.limit, self.reset_s = limit, reset_s


@contextmanager
def telling(request: Request) -> Iterator[None]:
    """The answer to what is refused in here has the numbers of that limit, and not those of the edge's."""
    try:
        yield
    except Spent as spent:
        headers: RawHeaders | None = request.scope.get(ANSWER_HEADERS)
        if headers is not None:
            headers[:] = [pair for pair in headers if not pair[0].startswith(b"ratelimit-")]
            for name, number in (("limit", spent.limit), ("remaining", 0), ("reset", math.ceil(spent.reset_s))):
                headers.append((f"ratelimit-{name}".encode(), b"%d" % number))
            request.scope[REFUSED_KEY] = True
        raise


class Buckets:
    """A token bucket a key: a minute's worth at once, refilled evenly. The keys used last are kept."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def spend(self, key: str, refusal: str) -> None:
        """Raises Spent: 429 with the time after which one more is there."""
        now_s = self._clock.monotonic_s()
        bucket = self._buckets.setdefault(key, _Bucket(self._per_minute, now_s))
        self._buckets.move_to_end(key)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        rate = self._per_minute / 60
        bucket.left = min(self._per_minute, bucket.left + (now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        if bucket.left < 1:
            reset_s = (self._per_minute - bucket.left) / rate
            raise Spent(refusal, retry_after_s=(1 - bucket.left) / rate, limit=self._per_minute, reset_s=reset_s)
        bucket.left -= 1


class ChainLimit:
    """Signatures that are no key's and that a chain has to be asked about: each question is a node's work, and whoever
    asks has shown nothing yet. Few for one challenge, for one network, and about one wallet."""

    def __init__(self, clock: Clock, *, per_network: int, per_wallet: int) -> None:
        self._of_challenge = Buckets(TRIES_PER_CHALLENGE, clock)
        self._of_network = Buckets(per_network, clock)
        self._of_wallet = Buckets(per_wallet, clock)

    def spend(self, facts: SigningFacts) -> None:
        """Raises TooMany: 429."""
        self._of_challenge.spend(facts.nonce, "too many wrong signatures for this challenge")
        if facts.network:
            self._of_network.spend(facts.network, "too many signatures from this address that are no key's")
        self._of_wallet.spend(facts.address, "too many signatures for this wallet that are not its key's")


class RequestLimit:
    """By the address that the layer at the door found; forwarding headers of strangers are not believed."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._buckets = Buckets(per_minute, clock)

    def spend(self, request: Request) -> None:
        """Raises TooMany: 429."""
        with telling(request):
            self._buckets.spend(network_of(request), "too many sign-in requests from this address")


class WalletLimit:
    """By the wallet that is asked about, wherever from. A network that has signed in with a wallet lately has a bucket
    for it of its own, so that a flood from everywhere else does not keep its owner out."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._buckets = Buckets(per_minute, clock)
        self._known: OrderedDict[str, None] = OrderedDict()

    def spend(self, wallet: str, request: Request) -> None:
        """Raises TooMany: 429."""
        own = f"{wallet} {network_of(request)}"
        with telling(request):
            self._buckets.spend(own if own in self._known else wallet, "too many sign-in requests for this wallet")

    def note_sign_in(self, wallet: str, request: Request) -> None:
        own = f"{wallet} {network_of(request)}"
        self._known[own] = None
        self._known.move_to_end(own)
        if len(self._known) > MAX_BUCKETS:
            self._known.popitem(last=False)


def network_of(request: Request) -> str:
    """What is counted as one: an IPv4 address, or what one customer gets of IPv6."""
    host = client_address(request.scope)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)
