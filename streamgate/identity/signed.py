"""A bus whose messages carry who sent them, proved; and which hands on nothing that does not.

It wraps the bus between processes. What is above it (calls, events, announcements) sees the same bytes as without
it, and may ask `sender_of(payload)`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from loguru import logger

from streamgate.bus.base import (
    MAX_PAYLOAD_BYTES,
    Bus,
    DeadLetter,
    Handler,
    Reject,
    Responder,
    Resync,
    Subscription,
    check_size,
    matches,
)
from streamgate.errors import Unavailable
from streamgate.identity.credentials import Credentials, unbase64
from streamgate.identity.grants import service_of
from streamgate.identity.seals import (
    NONCE_BYTES,
    Kind,
    NotSealed,
    Refused,
    head_of,
    open_answer,
    read_frame,
    refusal,
    seal_answer,
    seal_question,
)
from streamgate.identity.sender import Sender, delivering
from streamgate.identity.trust import Distrust, Memory, Trust

FRAME_BYTES = 400  # beside the certificate: head, subject, seal
MAX_CERTIFICATE_BYTES = 32_000
"""By how much a frame may exceed what it carries."""

HEADROOM_BYTES = FRAME_BYTES + MAX_CERTIFICATE_BYTES
WARN_BEFORE_S = 30 * 86_400


class IdentityRefused(Unavailable):
    """One side does not believe the other, or does not grant it this. The details are in the log."""

    code, title = "identity.refused", "Service identity refused"


class SignedBus:
    """See `Bus`. Nothing is sent that the credentials do not grant: the other side would not take it.

    Args:
        now_s: Unix time.
    """

    is_local = False

    def __init__(self, inner: Bus, credentials: Credentials, *, now_s: Callable[[], float] = time.time) -> None:
        self._inner = inner
        self._now_s = now_s
        self._raw = unbase64(credentials.certificate)
        self.certificate = credentials.opened()
        self._grants = self.certificate.grants
        self._signing = Ed25519PrivateKey.from_private_bytes(unbase64(credentials.signing_key))
        self._keys = {service: unbase64(key) for service, key in credentials.asks.items()}
        self._trust = Trust(credentials, now_s)

    @property
    def max_payload_bytes(self) -> int:
        return min(MAX_PAYLOAD_BYTES, self._inner.max_payload_bytes - FRAME_BYTES - len(self._raw))

    async def start(self) -> None:
        left_s = self.certificate.not_after_s - self._now_s()
        if left_s < WARN_BEFORE_S:
            logger.bind(role=self.certificate.role, days=int(left_s // 86_400)).warning(
                "the identity expires: issue it anew with `streamgate identity issue`"
            )
        await self._inner.start()

    async def stop(self) -> None:
        await self._inner.stop()

    async def ping(self) -> None:
        await self._inner.ping()

    # --- sending --------------------------------------------------------------------------------------

    async def publish(self, subject: str, payload: bytes, *, message_id: str) -> None:
        await self._inner.publish(subject, self._signed(subject, payload), message_id=message_id)

    async def broadcast(self, subject: str, payload: bytes) -> None:
        await self._inner.broadcast(subject, self._signed(subject, payload))

    async def request(self, subject: str, payload: bytes, *, timeout_s: float) -> bytes:
        check_size(subject, payload, self.max_payload_bytes)
        key = self._keys.get(service_of(subject))
        if key is None or not self._grants.may_ask(subject):
            raise self._not_granted("ask", subject, "PluginInfo.needs or may_need")
        nonce = os.urandom(NONCE_BYTES)
        head = head_of(b"q", self._raw, subject, int(self._now_s() * 1000), nonce)
        answer = await self._inner.request(subject, seal_question(key, head, payload), timeout_s=timeout_s)
        try:
            return open_answer(key, subject, nonce, answer)
        except Refused as fault:
            logger.bind(subject=subject, reason=str(fault)[:300]).error("the service refuses our identity")
            raise IdentityRefused(f"{service_of(subject)} does not recognise {self.certificate.role}") from fault
        except NotSealed as fault:
            logger.bind(subject=subject).error("an answer was not sealed by its service; not believed")
            raise IdentityRefused(f"the answer of {service_of(subject)} is not its own") from fault

    def _signed(self, subject: str, payload: bytes) -> bytes:
        check_size(subject, payload, self.max_payload_bytes)
        if subject not in self._grants.tells:
            raise self._not_granted("tell", subject, "PluginInfo.tells")
        kind: Kind = b"m"
        head = head_of(kind, self._raw, subject, int(self._now_s() * 1000), os.urandom(NONCE_BYTES))
        return head + self._signing.sign(head + payload) + payload

    def _not_granted(self, what: str, subject: str, where: str) -> IdentityRefused:
        role = self.certificate.role
        logger.bind(role=role, subject=subject, declare_in=where).error("our identity does not grant this")
        return IdentityRefused(
            f"{role} may not {what} {subject}: declare it in {where} and run `streamgate identity issue --role {role}`"
        )

    # --- hearing --------------------------------------------------------------------------------------

    async def subscribe_group(
        self, subject: str, group: str, handler: Handler, *, concurrency: int = 8
    ) -> Subscription:
        self._check_heard(subject)

        async def believed(payload: bytes) -> None:
            try:
                body, sender = self._opened(payload, subject, None)
            except Distrust as fault:
                raise Reject(f"not believed: {fault}") from fault
            with delivering(body, sender):
                await handler(body)

        return await self._inner.subscribe_group(subject, group, believed, concurrency=concurrency)

    async def subscribe_everyone(self, subject: str, handler: Handler, *, resync: Resync) -> Subscription:
        self._check_heard(subject)
        memory = None if subject.startswith("evt.") else self._trust.memory()

        async def believed(payload: bytes) -> None:
            try:
                body, sender = self._opened(payload, subject, memory)
            except Distrust as fault:
                logger.bind(subject=subject, reason=str(fault)).warning("message not believed; dropped")
                return
            with delivering(body, sender):
                await handler(body)

        return await self._inner.subscribe_everyone(subject, believed, resync=resync)

    async def serve(self, subject: str, group: str, responder: Responder, *, concurrency: int = 64) -> Subscription:
        if service_of(subject) not in self._grants.answers:
            raise self._not_granted("answer", subject, "PluginInfo.offers")

        async def believed(payload: bytes) -> bytes:
            try:
                frame, sender, key = self._trust.open_question(payload)
                if not matches(subject, frame.subject):
                    raise Distrust(f"it was meant for {frame.subject}")
            except Distrust as fault:
                logger.bind(subject=subject, reason=str(fault)).warning("question not believed; refused")
                return refusal(str(fault))
            with delivering(frame.body, sender):
                answer = await responder(frame.body)
            return seal_answer(key, frame.subject, frame.nonce, answer)

        return await self._inner.serve(subject, group, believed, concurrency=concurrency)

    async def dead_letters(self) -> dict[str, int]:
        return await self._inner.dead_letters()

    async def list_dead_letters(self, *, after: str = "", limit: int = 50) -> list[DeadLetter]:
        """For people to look at: whether it is sealed by who it says is looked at when it is handled again."""
        return [_without_frame(each) for each in await self._inner.list_dead_letters(after=after, limit=limit)]

    async def replay_dead_letter(self, letter_id: str) -> bool:
        return await self._inner.replay_dead_letter(letter_id)  # as its sender sealed it

    async def discard_dead_letter(self, letter_id: str) -> bool:
        return await self._inner.discard_dead_letter(letter_id)

    def _check_heard(self, subject: str) -> None:
        if subject not in self._grants.hears:
            raise self._not_granted("hear", subject, "PluginInfo.hears")

    def _opened(self, payload: bytes, pattern: str, memory: Memory | None) -> tuple[bytes, Sender]:
        frame, sender = self._trust.open_message(payload, memory)
        if not matches(pattern, frame.subject):
            raise Distrust(f"it was meant for {frame.subject}")
        return frame.body, sender


def _without_frame(letter: DeadLetter) -> DeadLetter:
    try:
        return attrs.evolve(letter, payload=read_frame(letter.payload, b"m").body)
    except NotSealed:
        return letter
