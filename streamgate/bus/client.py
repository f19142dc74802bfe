"""nats-py, and what it does not do by itself:

- Its first connect waits 2 s after a refusal and logs a traceback for each: `Connection` passes a short pause
  and an error callback, and bounds the whole start.
- An error from the server (`-ERR`) closes a client for good: `Connection` makes another.
- Its `flush` overtakes the commands before it, so that a subscription was not there yet: `OrderedClient`.
- A question that is on its way when the connection breaks waits for its time-out: `fail_questions`.
- A question that the server denies us waits for its time-out too: `OrderedClient.denied_by`. (What the server says
  of it comes in small letters.)
- Closing while the server is away raises and leaves tasks behind: `close`.
"""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

import nats.errors
from loguru import logger
from nats.aio.client import PING_PROTO, Client
from nats.aio.subscription import Subscription as ClientSubscription

from streamgate.bus.base import Login

FLUSH_TIMEOUT_S = 2
CANCEL_AGAIN_S = 0.1
_DENIED = re.compile(r'permissions violation for (?P<what>publish|subscription) to "(?P<subject>[^"]*)"')


class ConnectionLost(Exception):
    """The connection is down, or broke before the answer came."""


FAULTS = (nats.errors.Error, OSError, ConnectionLost)
"""What using a connection may raise (OSError includes TimeoutError)."""


class OrderedClient(Client):
    """A client whose `flush` (and so `drain`) returns when the server has seen all commands before it.

    nats-py writes the PING straight to the socket, ahead of what its flusher task has not written yet.
    """

    def __init__(self, login: Login | None = None) -> None:
        super().__init__()
        self._login = login
        self._subjects_asked: dict[str, str] = {}  # where an answer is awaited → the question's subject
        self._denied: set[str] = set()

    def login_options(self) -> dict[str, Any]:
        """What `connect` is told about who we are."""
        login = self._login
        if login is None:
            return {}
        self._public_nkey, self._auth_configured = login.public_key, True

        def sign(nonce: str) -> bytes:
            return base64.b64encode(login.sign(nonce.encode()))

        return {"signature_cb": sign, "inbox_prefix": login.inbox_prefix}

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        token = reply.rpartition(".")[2]
        if token in self._resp_map:
            self._subjects_asked[token] = subject
            self._resp_map[token].add_done_callback(lambda _: self._subjects_asked.pop(token, None))
        await super().publish(subject, payload, reply, headers)

    def denied_by(self, fault: Exception) -> bool:
        """Whether the server has said that we may not do something; ends the questions that this was about."""
        found = _DENIED.search(str(fault))
        if found is None:
            return False
        if found["what"] == "subscription":
            self._denied.add(found["subject"])
            return True
        for token, subject in list(self._subjects_asked.items()):
            future = self._resp_map.get(token)
            if subject.lower() == found["subject"] and future is not None and not future.done():
                future.set_exception(nats.errors.Error(f"the bus server denies us to publish to {subject}"))
        return True

    def check_subscribed(self, subject: str) -> None:
        """Raises when the server has denied the subscription, as `flush` after it has shown."""
        if subject.lower() in self._denied:
            raise nats.errors.Error(f"the bus server denies us to listen to {subject}")

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        self._pongs.append(future or asyncio.get_running_loop().create_future())
        await self._send_command(PING_PROTO)
        await self._flush_pending()


async def leave(client: Client, subscribed: ClientSubscription) -> None:
    """Unsubscribes; what the server had sent before that is still handed to the callback."""
    if client.is_closed:
        return
    try:
        if client.is_connected:
            async with asyncio.timeout(FLUSH_TIMEOUT_S):
                await subscribed.drain()  # type: ignore[no-untyped-call]
        else:
            await subscribed.unsubscribe()
    except FAULTS as fault:
        logger.bind(subject=subscribed.subject, error=repr(fault)).debug("left without a drain")


async def close(client: Client, opening: asyncio.Task[None] | None = None) -> None:
    """Closes a client whatever its socket's state, and ends the task that opens it, where one still does.

    nats-py writes what is pending even to a dead socket, raises, and leaves its tasks behind; so what cannot be
    sent is thrown away first, and a close that failed half-way is done again. And a task that connects can
    miss a cancellation (where it flushes; in `asyncio.wait_for` before Python 3.12), and would then go on for ever.
    """
    await _end(opening)
    if not client.is_connected:
        _discard_pending(client)
    try:
        await client.close()
    except OSError:
        _discard_pending(client)
        client._status = Client.DISCONNECTED
        await client.close()
    await _end(client._reconnection_task)


async def _end(task: asyncio.Task[None] | None) -> None:
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_AGAIN_S)


def fail_questions(client: Client) -> None:
    """Fails every question that is on its way: its answer will not come over another connection."""
    for future in list(client._resp_map.values()):
        if not future.done():
            future.set_exception(ConnectionLost("the connection broke before the answer"))


def _discard_pending(client: Client) -> None:
    client._pending.clear()
    client._pending_data_size = 0
