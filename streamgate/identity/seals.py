"""The frame around every message between processes: who sent it, when, and a seal that nobody else can make.

    question  to one service     MAC, under a key that the caller and that service share
    answer    to that question   MAC, under the same key, over the question's nonce
    message   to many            Ed25519 signature of the sender
    refusal   in plain: whoever was not recognised shares no key with us

The shared key follows from the service's own key and the hash of the caller's certificate, so that a service knows
no caller in advance, and another certificate (other rights, other dates) has another key.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Literal

import attrs

Kind = Literal[b"q", b"m"]

MAC_BYTES = 32
NONCE_BYTES = 16
_HEAD = struct.Struct("!BcHHQ16s")  # version, kind, lengths of certificate and subject, milliseconds, nonce
_VERSION = 1
_ANSWER = bytes([_VERSION]) + b"a"
_REFUSAL = bytes([_VERSION]) + b"r"


class NotSealed(Exception):
    """These bytes are no frame."""


@attrs.frozen
class Frame:
    """A question or a message, taken apart; nothing is checked yet. `sealed` is what the seal is over."""

    kind: bytes
    certificate: bytes
    subject: str
    at_ms: int
    nonce: bytes
    seal: bytes
    sealed: bytes
    body: bytes


def head_of(kind: Kind, certificate: bytes, subject: str, at_ms: int, nonce: bytes) -> bytes:
    name = subject.encode()
    return _HEAD.pack(_VERSION, kind, len(certificate), len(name), at_ms, nonce) + certificate + name


def read_frame(payload: bytes, kind: Kind) -> Frame:
    """Raises NotSealed."""
    if len(payload) < _HEAD.size:
        raise NotSealed("it carries no seal")
    version, found, certificate_bytes, subject_bytes, at_ms, nonce = _HEAD.unpack_from(payload)
    if version != _VERSION or found != kind:
        raise NotSealed("it carries no seal")
    subject_at = _HEAD.size + certificate_bytes
    seal_at = subject_at + subject_bytes
    body_at = seal_at + (MAC_BYTES if kind == b"q" else 2 * MAC_BYTES)
    if len(payload) < body_at:
        raise NotSealed("it is cut off")
    return Frame(
        found,
        payload[_HEAD.size : subject_at],
        payload[subject_at:seal_at].decode(errors="replace"),
        at_ms,
        nonce,
        payload[seal_at:body_at],
        payload[:seal_at] + payload[body_at:],
        payload[body_at:],
    )


def pair_key(service_key: bytes, certificate: bytes) -> bytes:
    """The key between a service and the caller with that certificate."""
    return hmac.digest(service_key, b"streamgate asks" + hashlib.sha256(certificate).digest(), "sha256")


def seal_question(key: bytes, head: bytes, body: bytes) -> bytes:
    return head + hmac.digest(key, head + body, "sha256") + body


def is_question_sealed(key: bytes, frame: Frame) -> bool:
    return hmac.compare_digest(frame.seal, hmac.digest(key, frame.sealed, "sha256"))


def seal_answer(key: bytes, subject: str, nonce: bytes, body: bytes) -> bytes:
    return _ANSWER + _answer_mac(key, subject, nonce, body) + body


def open_answer(key: bytes, subject: str, nonce: bytes, payload: bytes) -> bytes:
    """The body.

    Raises:
        NotSealed: it is not the answer of that service to that question.
        Refused: the service did not recognise us.
    """
    if payload[: len(_REFUSAL)] == _REFUSAL:
        raise Refused(payload[len(_REFUSAL) :].decode(errors="replace"))
    begins = len(_ANSWER) + MAC_BYTES
    body = payload[begins:]
    if payload[: len(_ANSWER)] != _ANSWER or not hmac.compare_digest(
        payload[len(_ANSWER) : begins], _answer_mac(key, subject, nonce, body)
    ):
        raise NotSealed("the answer is not sealed by that service")
    return body


def refusal(reason: str) -> bytes:
    return _REFUSAL + reason.encode()


class Refused(Exception):
    """The other side's reason, which anybody on the bus could have written: for the log."""


def _answer_mac(key: bytes, subject: str, nonce: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"".join((_ANSWER, nonce, subject.encode(), b"\0", body)), "sha256")
