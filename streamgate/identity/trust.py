"""Whom this process believes: certificates it has checked, frames it has seen."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from streamgate.identity.credentials import Certificate, Credentials, IdentityFault, open_certificate, unbase64
from streamgate.identity.grants import service_of
from streamgate.identity.seals import Frame, NotSealed, is_question_sealed, pair_key, read_frame
from streamgate.identity.sender import Sender

WINDOW_S = 60.0
"""How far a question or a broadcast may be from our clock, either way; within it each frame counts once."""

EVENT_AGE_S = 8 * 86_400.0
"""How old an event may be: the bus keeps them for seven days."""

REMEMBERED_CALLERS = 1_000


class Distrust(Exception):
    """Why something is not believed."""


@attrs.define(eq=False)
class Caller:
    """A certificate that was checked once, with what follows from it."""

    certificate: Certificate
    public_key: Ed25519PublicKey
    sender: Sender
    keys: dict[str, bytes] = attrs.field(factory=dict)  # service → the key we share


@attrs.define(eq=False)
class Memory:
    """What has been seen lately: two sets by turns, so that each nonce is known for at least as long as its frame
    would be taken."""

    _now_s: Callable[[], float]
    _turned_at_s: float
    _seen: set[bytes] = attrs.field(factory=set)
    _before: set[bytes] = attrs.field(factory=set)

    def count(self, frame: Frame) -> None:
        """Raises Distrust the second time."""
        now_s = self._now_s()
        if now_s - self._turned_at_s > 2 * WINDOW_S:
            self._before, self._seen, self._turned_at_s = self._seen, set(), now_s
        if frame.nonce in self._seen or frame.nonce in self._before:
            raise Distrust("it has been sent before")
        self._seen.add(frame.nonce)


class Trust:
    """Checks what others send.

    Args:
        now_s: Unix time.
    """

    def __init__(self, credentials: Credentials, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._trusted = credentials.trusted_keys()
        self._service_keys = {
            service: {key_id: unbase64(key) for key_id, key in keys.items()}
            for service, keys in credentials.answers.items()
        }
        self._callers: dict[bytes, Caller] = {}
        self._questions = self.memory()

    def memory(self) -> Memory:
        """For one who listens: each of several in a process hears a message once."""
        return Memory(self._now_s, self._now_s())

    def open_question(self, payload: bytes) -> tuple[Frame, Sender, bytes]:
        """The question, who asks, and the key for the answer. Raises Distrust."""
        frame, caller = self._open(payload, b"q")
        self._check_fresh(frame, caller)
        if not caller.certificate.grants.may_ask(frame.subject):
            raise Distrust(f"{caller.certificate.role} may not ask {frame.subject}")
        key = self._key_with(caller, frame)
        if not is_question_sealed(key, frame):
            raise Distrust(f"it was not sealed by {caller.certificate.role}, or was changed")
        self._questions.count(frame)
        return frame, caller.sender, key

    def open_message(self, payload: bytes, memory: Memory | None) -> tuple[Frame, Sender]:
        """An event or a broadcast, and who told it.

        Args:
            memory: of whoever hears a broadcast. None: it is an event, which the bus may have held for days and may
                bring twice; its reader knows it by its id.

        Raises:
            Distrust: it is not to be believed.
        """
        frame, caller = self._open(payload, b"m")
        if memory is None:
            self._check_kept(frame, caller)
        else:
            self._check_fresh(frame, caller)
        if frame.subject not in caller.certificate.grants.tells:
            raise Distrust(f"{caller.certificate.role} may not tell {frame.subject}")
        try:
            caller.public_key.verify(frame.seal, frame.sealed)
        except InvalidSignature as fault:
            raise Distrust(f"it was not signed by {caller.certificate.role}, or was changed") from fault
        if memory is not None:
            memory.count(frame)
        return frame, caller.sender

    def _open(self, payload: bytes, kind: bytes) -> tuple[Frame, Caller]:
        try:
            frame = read_frame(payload, b"q" if kind == b"q" else b"m")
            caller = self._callers.get(frame.certificate) or self._meet(frame.certificate)
        except (NotSealed, IdentityFault) as fault:
            raise Distrust(str(fault)) from fault
        return frame, caller

    def _meet(self, raw: bytes) -> Caller:
        certificate = open_certificate(raw, self._trusted)
        grants = certificate.grants
        caller = Caller(
            certificate,
            Ed25519PublicKey.from_public_bytes(unbase64(certificate.public_key)),
            Sender(
                role=certificate.role,
                plugins=grants.plugins,
                prefixes=grants.prefixes,
                acts_as_service=grants.acts_as_service,
            ),
        )
        if len(self._callers) >= REMEMBERED_CALLERS:  # certificates are issued, so nobody can make many
            self._callers.clear()
        self._callers[raw] = caller
        return caller

    def _key_with(self, caller: Caller, frame: Frame) -> bytes:
        service = service_of(frame.subject)
        key = caller.keys.get(service)
        if key is None:
            own = self._service_keys.get(service, {}).get(caller.certificate.issuer)
            if own is None:
                raise Distrust(f"we are not {service}")
            key = caller.keys[service] = pair_key(own, frame.certificate)
        return key

    def _check_fresh(self, frame: Frame, caller: Caller) -> None:
        now_s = self._now_s()
        off_s = frame.at_ms / 1000 - now_s
        if abs(off_s) > WINDOW_S:
            raise Distrust(f"it is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} our clock")
        self._check_dates(caller, now_s)

    def _check_kept(self, frame: Frame, caller: Caller) -> None:
        at_s, now_s = frame.at_ms / 1000, self._now_s()
        if not now_s - EVENT_AGE_S <= at_s <= now_s + WINDOW_S:
            raise Distrust("it is older than the bus keeps events, or from the future")
        self._check_dates(caller, at_s)

    def _check_dates(self, caller: Caller, at_s: float) -> None:
        if not caller.certificate.is_valid_at(at_s):
            raise Distrust(f"the certificate of {caller.certificate.role} has expired, or is not valid yet")
