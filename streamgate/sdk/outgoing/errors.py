"""What can be wrong with a request to an address that a user gave. Texts name the host at most: the rest of a URL
may hold a key.

    OutgoingError 502 outgoing.failed
    ├── UrlRefused 422          ├── AddressRefused 422
    ├── Unreachable 502         ├── TimedOut 504           both worth another try
    ├── AnswerTooLarge 413      ├── AnswerUnusable 502
"""

from __future__ import annotations

from streamgate.errors import StreamgateError


class OutgoingError(StreamgateError):
    code, title, status = "outgoing.failed", "The request to that address failed", 502


class UrlRefused(OutgoingError):
    """The URL itself: scheme, port, user name, host."""

    code, title, status, field = "outgoing.url_refused", "The URL cannot be used", 422, "url"


class AddressRefused(OutgoingError):
    """The host has an address that is not public."""

    code, title, status = "outgoing.address_refused", "The URL leads to an address that is not public", 422
    field = "url"


class Unreachable(OutgoingError):
    """No such host, no connection, a certificate that does not fit, a connection that broke off."""

    code, title, status, retryable = "outgoing.unreachable", "The host cannot be reached", 502, True


class TimedOut(OutgoingError):
    code, title, status, retryable = "outgoing.timed_out", "The host took too long", 504, True


class AnswerTooLarge(OutgoingError):
    code, title, status = "outgoing.too_large", "The answer is larger than it may be", 413


class AnswerUnusable(OutgoingError):
    """Compressed although that was not asked for, or redirected too often."""

    code, title, status = "outgoing.answer_unusable", "The host's answer cannot be used", 502
