"""Which headers pass a gateway, and which it must not believe or hand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from multidict import CIMultiDict

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


def to_service(sent: RawHeaders, *, request_id: str, client: str, scheme: str) -> CIMultiDict[str]:
    """The headers a service gets: the caller's, without identities and hops, with our own word on both.

    Names with an underscore go too: some servers read `X_Forwarded_User` as the header with hyphens.
    """
    kept: CIMultiDict[str] = CIMultiDict()
    sent = list(sent)
    named = _named_by_connection(sent)
    for name, value in sent:
        is_ours_to_say = name in _HOP_BY_HOP or name in _MADE_BY_US or name in named
        if not is_ours_to_say and b"_" not in name and not name.startswith(_IDENTITY):
            kept.add(name.decode("latin-1"), value.decode("latin-1"))
    kept["x-request-id"] = request_id
    if client:
        kept["x-forwarded-for"] = client
    kept["x-forwarded-proto"] = scheme
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
