"""Who is asking, for which request, until when: carried through every call by a context variable."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class Actor:
    """Who acts. A person (`user`), one of our own services (`service`), or nobody known (`anonymous`)."""

    kind: Literal["anonymous", "user", "service"] = "anonymous"
    user_id: str = ""  # opaque; never a wallet address (people link several)
    roles: tuple[str, ...] = ()  # of: viewer, creator, moderator, admin
    address: str = ""  # the wallet that signed in, CAIP-10 account without the chain part
    credential: str = ""  # the sign-in (`a_…`) or API key (`k_…`) behind it; for revocation, never a secret
    scopes: tuple[str, ...] | None = None  # of an API key, what it may do; None: a person's own sign-in

    @property
    def is_signed_in(self) -> bool:
        return self.kind != "anonymous"

    @property
    def may_change(self) -> bool:
        """False for an API key that may only read."""
        return self.scopes is None or not {"upload", "admin"}.isdisjoint(self.scopes)

    @property
    def is_moderator(self) -> bool:
        """May act on what others own."""
        return self.kind == "service" or "moderator" in self.roles or "admin" in self.roles


ANONYMOUS = Actor()


@attrs.frozen(kw_only=True)
class CallContext:
    """What travels with a call. `deadline_s` is on this process' monotonic clock; None means no limit."""

    request_id: str
    actor: Actor = ANONYMOUS
    deadline_s: float | None = None
    traceparent: str = ""

    def remaining_s(self) -> float | None:
        return None if self.deadline_s is None else self.deadline_s - time.monotonic()


def new_request_id() -> str:
    return uuid.uuid4().hex


_current: ContextVar[CallContext | None] = ContextVar("streamgate_call", default=None)


def current_call() -> CallContext:
    """The call being served; a fresh anonymous one where there is none (start-up, a unit's own loop)."""
    return _current.get() or CallContext(request_id=new_request_id())


def call_in_progress() -> CallContext | None:
    """The call being served, where there is one."""
    return _current.get()


def enter_call(call: CallContext) -> Token[CallContext | None]:
    """Makes it the current call until `leave_call`; for the kernel's hot paths, others take `use_call`."""
    return _current.set(call)


def leave_call(token: Token[CallContext | None]) -> None:
    _current.reset(token)


@contextmanager
def use_call(call: CallContext) -> Iterator[CallContext]:
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)
