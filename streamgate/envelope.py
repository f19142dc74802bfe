"""The one envelope around every service call, answer and event."""

from __future__ import annotations

from typing import Any

import attrs
import orjson
from loguru import logger

from streamgate.context import ANONYMOUS, Actor, CallContext
from streamgate.identity.sender import sender_of
from streamgate.wire import from_plain, to_plain

VERSION = 1


@attrs.frozen(kw_only=True)
class Envelope:
    """`body` is plain JSON; exactly one of `body` and `error` is meant. `deadline_ms` is what is left
    (clocks of two machines differ, so never a point in time); 0 means no limit."""

    id: str
    body: Any = None
    error: dict[str, Any] | None = None
    request_id: str = ""
    traceparent: str = ""
    deadline_ms: int = 0
    actor: Actor = ANONYMOUS
    source: str = ""
    v: int = VERSION

    def to_bytes(self) -> bytes:
        return orjson.dumps(
            {
                "v": self.v,
                "id": self.id,
                "request_id": self.request_id,
                "traceparent": self.traceparent,
                "deadline_ms": self.deadline_ms,
                "actor": to_plain(self.actor),
                "source": self.source,
                "body": self.body,
                "error": self.error,
            }
        )

    @classmethod
    def from_bytes(cls, payload: bytes) -> Envelope:
        """What came with a seal is believed as far as its sender goes: `source` is who sealed it, and an actor for
        whom that sender may not speak is nobody."""
        envelope: Envelope = from_plain(cls, orjson.loads(payload))
        sender = sender_of(payload)
        if sender is None:
            return envelope
        actor = envelope.actor
        if actor.kind == "service" and not sender.acts_as_service:
            logger.bind(role=sender.role, request_id=envelope.request_id).debug("may not act as a service; anonymous")
            actor = ANONYMOUS
        return attrs.evolve(envelope, actor=actor, source=sender.role)

    @classmethod
    def around(cls, body: Any, call: CallContext, *, id: str, source: str) -> Envelope:
        remaining_s = call.remaining_s()
        return cls(
            id=id,
            body=body,
            request_id=call.request_id,
            traceparent=call.traceparent,
            deadline_ms=0 if remaining_s is None else max(1, int(remaining_s * 1000)),
            actor=call.actor,
            source=source,
        )
