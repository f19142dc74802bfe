"""The dead letters of the NATS bus, one by one: what `jetstream.GroupConsumer` has put on their stream."""

from __future__ import annotations

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError

from streamgate.bus.base import DEAD_STREAM, DeadLetter

AGAIN_TIMEOUT_S = 30.0


async def letters_after(jetstream: JetStreamContext, after: str, limit: int) -> list[DeadLetter]:
    found: list[DeadLetter] = []
    sequence = _number(after)
    while len(found) < limit:
        try:
            raw = await jetstream.get_msg(DEAD_STREAM, sequence + 1, subject="dead.>", next=True)
        except NotFoundError:
            break
        found.append(_letter(raw))
        sequence = raw.seq or 0
    return found


async def letter_of(jetstream: JetStreamContext, letter_id: str) -> DeadLetter | None:
    try:
        return _letter(await jetstream.get_msg(DEAD_STREAM, _number(letter_id) or 2**62))
    except NotFoundError:
        return None


async def discard(jetstream: JetStreamContext, letter: DeadLetter) -> None:
    await jetstream.delete_msg(DEAD_STREAM, int(letter.id))


def _number(letter_id: str) -> int:
    return int(letter_id) if letter_id.isascii() and letter_id.isdigit() and len(letter_id) < 19 else 0


def _letter(raw: RawStreamMsg) -> DeadLetter:
    headers = raw.headers or {}
    _, group, subject = (raw.subject or "..").split(".", 2)
    return DeadLetter(
        id=str(raw.seq),
        group=group,
        subject=subject,
        message_id=headers.get("Streamgate-Message-Id", ""),
        reason=headers.get("Streamgate-Reason", ""),
        deliveries=int(headers.get("Streamgate-Deliveries", 0)),
        at_ms=0 if raw.time is None else round(raw.time.timestamp() * 1000),
        payload=raw.data or b"",
    )
