"""Headers that tell browsers what they may do with an answer."""

from __future__ import annotations

from streamgate.settings import ServerSettings
from streamgate.web.problems import RawHeaders

MEDIA_PREFIXES = ("/api/v1/stream/s/", "/api/v1/stream/m/")
"""Bytes of media and what goes with them: other sites' players may show them, and they are not counted."""

HSTS_S = 365 * 86_400
CONTENT_SECURITY_POLICY = b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""Of answers that bring none of their own: nothing in them runs, loads or is framed."""


def security_headers(settings: ServerSettings) -> tuple[RawHeaders, RawHeaders]:
    """Of every answer, and of media: a route's own header goes before one of these.

    Pop-ups are allowed: wallets open them. HSTS only where people come by https, and without subdomains, which are
    not ours to promise.
    """
    common = [
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
        (b"content-security-policy", CONTENT_SECURITY_POLICY),
        (b"cross-origin-opener-policy", b"same-origin-allow-popups"),
        (b"vary", b"Origin"),
    ]
    if settings.public_url.startswith("https:"):
        common.append((b"strict-transport-security", b"max-age=%d" % HSTS_S))
    policy = b"cross-origin-resource-policy"
    alike = [pair for pair in common if pair[0] != b"vary"]  # media are answered alike wherever they are shown
    return [*common, (policy, b"same-origin")], [*alike, (policy, b"cross-origin")]
