"""Which headers pass a gateway, and which it must not believe or hand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
from multidict import CIMultiDict
from starlette.types import Scope

from streamgate.web.client import client_address
from streamgate.web.edge import HOP_HEADER
from streamgate.web.request_id import request_id_of

RawHeaders = Iterable[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1, and what each hop makes anew.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"expect",
        b"host",
    }
)
_MADE_BY_US = frozenset({b"date", b"server", b"x-request-id"})

_HOW_IT_WAS_ASKED = (b"host", b"x-forwarded-host", b"x-forwarded-proto")

# What a proxy in front may use to say who somebody is or where they come from. No service of ours believes any
# of it (each checks the bearer itself), so this is the second lock.
_IDENTITY = (
    b"forwarded",
    b"remote-",
    b"x-actor",
    b"x-amzn-oidc",
    b"x-auth-",
    b"x-authenticated",
    b"x-client-cert",
    b"x-client-ip",
    b"x-consumer",
    b"x-email",
    b"x-forwarded",
    b"x-goog-authenticated",
    b"x-groups",
    b"x-identity",
    b"x-internal",
    b"x-ms-client-principal",
    b"x-original-",
    b"x-real-ip",
    b"x-remote",
    b"x-rewrite-url",
    b"x-role",
    b"x-service",
    b"x-ssl-client",
    b"x-streamgate",
    b"x-user",
    b"x-wallet",
    b"x-webauth",
)


@attrs.frozen(kw_only=True)
class Origin:
    """Where a request comes from, in our own word.

    Args:
        client: address of who asks, as the door has found it; "" where unknown.
        is_proxied: a proxy that `server.trusted_proxies` lists handed it on, and says how it was asked itself.
        hop: what the service knows its gateways by.
    """

    request_id: str
    client: str
    scheme: str
    is_proxied: bool = False
    hop: str = ""


def origin_of(scope: Scope, *, hop: str) -> Origin:
    client, peer = client_address(scope), (scope.get("client") or ("",))[0]
    return Origin(
        request_id=request_id_of(scope), client=client, scheme=scope["scheme"], is_proxied=client != peer, hop=hop
    )


def to_service(sent: RawHeaders, origin: Origin) -> CIMultiDict[str]:
    """The headers a service gets: the caller's, without identities and hops, with our own word on both.

    `X-Forwarded-For` is the one address that the door has found: whoever stands further left in the caller's is not
    known to us, and a service behind needs no list of our proxies. Proto and Host are a trusted proxy's, or as we
    were asked. Names with an underscore go too: some servers read `X_Forwarded_User` as the header with hyphens.
    """
    kept: CIMultiDict[str] = CIMultiDict()
    sent = list(sent)
    said = {name: value for name, value in sent if name in _HOW_IT_WAS_ASKED}
    named = _named_by_connection(sent)
    if any(name == b"transfer-encoding" for name, _ in sent):
        named |= {b"content-length"}  # which is not the length then (RFC 9112 section 6.3)
    for name, value in sent:
        is_ours_to_say = name in _HOP_BY_HOP or name in _MADE_BY_US or name in named
        if not is_ours_to_say and b"_" not in name and not name.startswith(_IDENTITY):
            kept.add(name.decode("latin-1"), value.decode("latin-1"))
    kept["x-request-id"] = origin.request_id
    if origin.client:
        kept["x-forwarded-for"] = origin.client
    proto = said.get(b"x-forwarded-proto", b"").decode("latin-1") if origin.is_proxied else ""
    kept["x-forwarded-proto"] = proto if proto in ("http", "https") else origin.scheme
    host = said.get(b"host", b"")
    if origin.is_proxied:
        host = said.get(b"x-forwarded-host", host)
    if host:
        kept["x-forwarded-host"] = host.decode("latin-1")
    if origin.hop:
        kept[HOP_HEADER.decode()] = origin.hop
    return kept


def to_client(answered: RawHeaders) -> Iterator[tuple[bytes, bytes]]:
    """The headers the caller gets; those that the edge adds itself are left to it."""
    headers = [(name.lower(), value) for name, value in answered]
    named = _named_by_connection(headers)
    return ((n, v) for n, v in headers if n not in _HOP_BY_HOP and n not in _MADE_BY_US and n not in named)


def _named_by_connection(headers: RawHeaders) -> frozenset[bytes]:
    """Headers that `Connection` declares to be of this hop only."""
    said = [value for name, value in headers if name == b"connection"]
    return frozenset(step.strip().lower() for value in said for step in value.split(b","))
