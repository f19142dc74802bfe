"""What every bus promises. `tests/kernel/bus` is one suite that each implementation passes.

Subjects are dotted: `svc.<service>.v1.<method>`, `evt.<event name>.v<version>`, `live.<topic>`.
Payloads are bytes, at most `max_payload_bytes` (1 MB): big bytes go through the blob store.

    publish          evt.*   kept for groups until each has handled it; heard by `everyone` as well
    broadcast        live.*  heard by those who listen now, kept nowhere
    request / serve  svc.*   one question, one answer
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

import attrs

from streamgate.errors import Conflict, StreamgateError, TooLarge, Unavailable

Handler = Callable[[bytes], Awaitable[None]]
"""Handles one message. Raising means: not handled, try again (group) or drop (everyone)."""

Responder = Callable[[bytes], Awaitable[bytes]]
"""Answers one request. It must not raise: errors travel inside the answer's envelope."""

Resync = Callable[[], Awaitable[None]]
"""Brings a subscriber up to date by reading the truth: messages to everyone have gaps."""

MAX_PAYLOAD_BYTES = 1_000_000
"""What any bus carries in one message. NATS' own limit is 1 MiB by default; the rest is left to its headers."""

EVENTS_STREAM, DEAD_STREAM = "EVENTS", "DEAD"
"""Where NATS keeps what groups have yet to handle, and what they have given up on."""

DEAD_LETTER_RIGHTS = (f"$JS.API.STREAM.MSG.GET.{DEAD_STREAM}", f"$JS.API.STREAM.MSG.DELETE.{DEAD_STREAM}", "again.>")
"""What a process must be allowed to publish to on NATS that has dead letters handled again (`PluginInfo.tells`)."""

DRAIN_TIMEOUT_S = 20.0
"""How long a subscription that stops waits for its running handlers before it cancels them."""


class BusUnavailable(Unavailable):
    """The bus could not take the message, or did not say that it had: send again with the same id."""

    code, title = "bus.unavailable", "The message bus is unavailable"


class PayloadTooLarge(TooLarge):
    """More bytes than one message may have. Put them into the blob store and send the key."""

    code, title = "bus.payload_too_large", "The message is too large for the bus"


class StillDead(Conflict):
    """The detail is what the handler said."""

    code, title = "bus.still_dead", "The message could not be handled this time either"


class Reject(Exception):
    """A group handler raises it when no repetition can help: the message goes to the dead letters at once."""


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a group's handler is tried, and the pause after each failure.

    `pauses_s[0]` follows the first failure; the last one repeats. What is only away (`is_retryable`) is tried
    for as long as it takes: an hour without the database costs no message its life.

    Attributes:
        max_deliveries: faults of the handler itself that make a dead letter.
        max_losses: deliveries that may end without a word (NATS: the process died, or was cut off from the server)
            before the message is taken for one that kills whoever handles it.
    """

    max_deliveries: int = 6
    max_losses: int = 50
    pauses_s: tuple[float, ...] = (0.2, 1.0, 5.0, 15.0, 30.0)

    def pause_after_s(self, tries: int) -> float:
        """Seconds to wait after that many tries (from 1) have failed."""
        return self.pauses_s[min(tries, len(self.pauses_s)) - 1]


def is_retryable(fault: Exception) -> bool:
    """Whether the handler lacks something that will be back (`db.unavailable`): no fault of its own."""
    return isinstance(fault, StreamgateError) and fault.retryable


@attrs.frozen(kw_only=True)
class DeadLetter:
    """A message that a group has given up on. `id` is the bus' own; `reason` is what the last handler said."""

    id: str
    group: str
    subject: str
    message_id: str
    reason: str
    deliveries: int
    at_ms: int
    payload: bytes = attrs.field(repr=False)


class Subscription(Protocol):
    async def stop(self) -> None:
        """Take no new messages, finish the ones being handled. A second call does nothing.

        Handlers that run longer than `DRAIN_TIMEOUT_S` are cancelled; a group's message is delivered again.
        Not to be called from the subscription's own handler: it would wait for itself.
        """


class Bus(Protocol):
    """Life: `start()` once, then use from one event loop, then `stop()`.

    Handlers, responders and resyncs run in a context of their own: nothing of the sender's context
    variables reaches them, on any bus.
    """

    @property
    def is_local(self) -> bool:
        """True when every subscriber lives in this process (the memory bus)."""

    @property
    def max_payload_bytes(self) -> int: ...

    async def start(self) -> None:
        """Connects.

        Raises:
            BusUnavailable: nobody answered for the whole start time-out, with the address and the last reason.
        """

    async def stop(self) -> None:
        """Drains: no new deliveries, running handlers finish, then connections close."""

    async def ping(self) -> None:
        """Returns when the bus has just answered; for readiness.

        Raises:
            BusUnavailable: it did not within two seconds.
        """

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        """Accepts a message on `evt.…` for good; returns when it is safe to forget it.

        Memory: returns when every group present has handled it (or has put it on its dead letters), which
        takes as long as the retries do: for ever, while what a handler needs is away. NATS: when JetStream has
        acknowledged. A copy sent twice with one
        `message_id` is dropped (within the last 10,000 messages, 10 minutes on NATS).
        `everyone` subscribers of the subject get it too, at most once.

        Raises:
            BusUnavailable: nothing is known about delivery, send again with the same id.
            PayloadTooLarge: `bus.payload_too_large`, sending again does not help.
        """

    async def broadcast(self, subject: str, payload: bytes) -> None:
        """Tells each live `everyone` subscriber, at most once, kept nowhere. Never raises for want of listeners
        or of a connection (then nobody hears it, and `resync` mends the gap)."""

    async def subscribe_group(
        self, subject: str, group: str, handler: Handler, *, concurrency: int = 8
    ) -> Subscription:
        """Durable, at least once, one copy per group, in no promised order. A raising handler is retried with
        back-off (`RetryPolicy`), then the message goes to the group's dead letters; `Reject` sends it there at
        once, a retryable `StreamgateError` never. Bounded: at most `concurrency` handlers run at once; a message
        that waits for its next try holds up no other. `subject` (`evt.…`) has no wildcards.

        On NATS a new group begins with what the stream still keeps (7 days), and a message whose process died
        is delivered again after the acknowledgement time; each such delivery counts as one try.
        """

    async def subscribe_everyone(self, subject: str, handler: Handler, *, resync: Resync) -> Subscription:
        """This process hears it, at most once, one message after another in the order of one sender.

        `resync` runs before this returns, after each reconnect and after an overflow; never beside the handler.
        One that raises is logged and tried again with back-off, while messages go on.
        `subject` may end in `.>` (everything below).
        """

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        """One question to one responder (load-balanced).

        Raises:
            Unavailable: `service.unavailable`, nobody serves the subject, or the connection broke before the
                answer (the question may have been heard).
            DeadlineExceeded: `service.deadline_exceeded`, no answer in time.
            PayloadTooLarge: the question, or the answer, exceeds the limit.
            Internal: the responder raised, against its promise.
        """

    async def serve(self, subject: str, group: str, responder: Responder, *, concurrency: int = 64) -> Subscription:
        """Answers requests on `subject` (may end in `.*`), sharing them with the other members of `group`."""

    async def dead_letters(self) -> dict[str, int]:
        """How many messages each group has given up on (groups without any are absent). NATS keeps them for 30 days,
        memory the last 1,000 of this process' life."""

    async def list_dead_letters(self, *, after: str = "", limit: int = 50) -> list[DeadLetter]:
        """Oldest first, from behind the one with that id."""

    async def replay_dead_letter(self, letter_id: str) -> bool:
        """Has one of its group handle the message once more, and returns when it has; then the letter is gone. False
        when there is no such letter.

        Raises:
            StillDead: `bus.still_dead`, the handler failed again; the letter stays.
            BusUnavailable: nobody of the group is there, or said a word within 30 s; the letter stays.
        """

    async def discard_dead_letter(self, letter_id: str) -> bool:
        """False when there is no such letter."""


@attrs.frozen(kw_only=True, repr=False)
class Login:
    """How to log in to NATS with a key of one's own: its public half, and what signs the server's challenge.
    Answers come in below `inbox_prefix`, where nobody else may listen."""

    public_key: str
    sign: Callable[[bytes], bytes]
    inbox_prefix: str


# --- subjects and sizes, the same on every bus ------------------------------------------------------

_SUBJECT = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_PATTERN = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*|\.>)?")
_GROUP = re.compile(r"[A-Za-z0-9_-]+")


def check_subject(subject: str) -> None:
    """Raises ValueError unless it is dotted words."""
    if not _SUBJECT.fullmatch(subject):
        raise ValueError(f"{subject!r} is not a subject (dotted words)")


def check_pattern(subject: str) -> None:
    """Raises ValueError unless it is dotted words, the last of which may be `*` or `>`."""
    if not _PATTERN.fullmatch(subject):
        raise ValueError(f"{subject!r} is not a subject (dotted words, at the end perhaps * or >)")


def check_event(subject: str, *, group: str = "group", message_id: str = "id") -> None:
    """Raises ValueError unless it is a subject below `evt.`, the group one word and the id there."""
    check_subject(subject)
    if not subject.startswith("evt."):
        raise ValueError(f"{subject!r} is kept for nobody: subjects of durable messages begin with evt.")
    if not _GROUP.fullmatch(group):
        raise ValueError(f"group {group!r} must be one word")
    if not message_id:
        raise ValueError(f"a message on {subject} needs an id")


def again_subject(group: str, subject: str) -> str:
    """Where a group takes its dead letters again."""
    return f"again.{group}.{subject}"


def durable_name(group: str, subject: str) -> str:
    """What NATS calls a group's consumer on a subject."""
    return f"{group}--{subject.replace('.', '-')}"


def check_size(subject: str, payload: bytes, limit_bytes: int) -> None:
    """Raises PayloadTooLarge beyond the limit."""
    if len(payload) > limit_bytes:
        raise PayloadTooLarge(f"{len(payload)} bytes for {subject}; at most {limit_bytes}")


@functools.lru_cache(maxsize=4096)
def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to `pattern` hears `subject` (NATS' rule: `*` one word, `>` one or more)."""
    wanted, words = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(words) >= len(wanted) and words[: len(wanted) - 1] == wanted[:-1]
    return len(words) == len(wanted) and all(w in ("*", word) for w, word in zip(wanted, words, strict=True))
