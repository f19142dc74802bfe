"""The one error family.

Every fault that a caller may see is a `StreamgateError`: it has a stable dotted `code`, an HTTP
`status`, and says whether trying again can help. Services raise them, the web layer renders them as
problem+json, and the service proxies carry them over the bus, so that `except GateRefused` works the
same whether the gate lives in this process or in another.

    StreamgateError
    ├── BadRequest 400            ├── Unauthorized 401     ├── Forbidden 403
    ├── NotFound 404              ├── Conflict 409         ├── Gone 410
    ├── TooLarge 413              ├── UnsupportedMediaType 415
    ├── Invalid 422               ├── TooMany 429
    ├── Internal 500              └── Unavailable 503  ── DeadlineExceeded

A service's own errors are subclasses with their own `code`, declared beside its contract. What any route that reads
a credential may answer is here, so that it is documented for each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs


@attrs.frozen
class FieldError:
    """One thing wrong with one field: `field` is its path (`gate.any[0].erc721.chain`)."""

    field: str
    message: str


class StreamgateError(Exception):
    """Base of the family. `detail` is for the caller to read: never a secret, token or path.

    Args:
        detail: what was being done, to which id, and what the reader can do.
        errors: faults of single fields (422); without any, the one of `field`, where the class names it.
        retry_after_s: seconds after which trying again may help (429, 503).
        extra: JSON-able members added to the problem document (a gate's explanation, missing chunks).
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    field: ClassVar[str] = ""

    _by_code: ClassVar[dict[str, type[StreamgateError]]] = {}

    def __init__(
        self,
        detail: str = "",
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after_s: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = errors or ((FieldError(self.field, self.detail),) if self.field else ())
        self.retry_after_s = retry_after_s
        self.extra: dict[str, Any] = dict(extra or {})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            known = StreamgateError._by_code.get(cls.code)
            if known is not None and known.__qualname__ != cls.__qualname__:
                raise TypeError(f"error code {cls.code!r} belongs to {known.__qualname__} already")
            StreamgateError._by_code[cls.code] = cls

    def to_wire(self) -> dict[str, Any]:
        """What crosses the bus: everything a caller needs to raise the same error again."""
        return {
            "code": self.code,
            "status": self.status,
            "title": self.title,
            "retryable": self.retryable,
            "detail": self.detail,
            "errors": [{"field": e.field, "message": e.message} for e in self.errors],
            "retry_after_s": self.retry_after_s,
            "extra": self.extra,
        }


class BadRequest(StreamgateError):
    code, status, title = "request.malformed", 400, "Malformed request"


class Unauthorized(StreamgateError):
    code, status, title = "auth.required", 401, "Sign-in required"


class TokenInvalid(Unauthorized):
    code, title = "auth.token_invalid", "The token is not valid"


class TokenExpired(Unauthorized):
    code, title = "auth.token_expired", "The token has expired"


class KeyInvalid(Unauthorized):
    code, title = "auth.key_invalid", "The API key is not valid"


class Forbidden(StreamgateError):
    code, status, title = "auth.forbidden", 403, "Not allowed"


class NotFound(StreamgateError):
    code, status, title = "not_found", 404, "Not found"


class Conflict(StreamgateError):
    code, status, title = "conflict", 409, "Conflict"


class Gone(StreamgateError):
    code, status, title = "gone", 410, "Gone"


class TooLarge(StreamgateError):
    code, status, title = "request.too_large", 413, "Too large"


class UnsupportedMediaType(StreamgateError):
    code, status, title = "request.unsupported_media_type", 415, "Unsupported media type"


class Invalid(StreamgateError):
    code, status, title = "request.invalid", 422, "Invalid input"


class TooMany(StreamgateError):
    code, status, title, retryable = "request.too_many", 429, "Too many requests", True


class Internal(StreamgateError):
    code, status, title = "internal", 500, "Internal error"


class Unavailable(StreamgateError):
    code, status, title, retryable = "service.unavailable", 503, "Service unavailable", True


class AuthUnavailable(Unavailable):
    code, title = "auth.unavailable", "Sign-in cannot be checked now"


class DeadlineExceeded(Unavailable):
    code, title = "service.deadline_exceeded", "The answer took too long"


def error_from_wire(wire: Mapping[str, Any]) -> StreamgateError:
    """The error a remote service raised, as its own class where this process knows the code."""
    kind = StreamgateError._by_code.get(wire["code"])
    error = (kind or _base_for_status(wire["status"]))(
        wire.get("detail", ""),
        errors=tuple(FieldError(e["field"], e["message"]) for e in wire.get("errors", ())),
        retry_after_s=wire.get("retry_after_s"),
        extra=wire.get("extra") or {},
    )
    if kind is None:  # of a plugin that is not here: what it says of itself stands in for its class
        vars(error).update({name: wire[name] for name in ("code", "status", "title", "retryable") if name in wire})
    return error


def _base_for_status(status: int) -> type[StreamgateError]:
    for base in StreamgateError.__subclasses__():
        if base.status == status:
            return base
    return StreamgateError
