"""nats-py, and what it does not do by itself:

- Its first connect waits 2 s after a refusal and logs a traceback for each: `Connection` passes a short pause
  and an error callback, and bounds the whole start.
- An error from the server (`-ERR`) closes a client for good: `Connection` makes another.
- Its `flush` overtakes the commands before it, so that a subscription was not there yet: `OrderedClient`.
- A question that is on its way when the connection breaks waits for its time-out: `fail_questions`.
- Closing while the server is away raises and leaves tasks behind: `close`.
"""

from __future__ import annotations

import asyncio

import nats.errors
from loguru import logger
from nats.aio.client import PING_PROTO, Client
from nats.aio.subscription import Subscription as ClientSubscription

FLUSH_TIMEOUT_S = 2
CANCEL_AGAIN_S = 0.1


class ConnectionLost(Exception):
    """The connection is down, or broke before the answer came."""


FAULTS = (nats.errors.Error, OSError, ConnectionLost)
"""What using a connection may raise (OSError includes TimeoutError)."""


class OrderedClient(Client):
    """A client whose `flush` (and so `drain`) returns when the server has seen all commands before it.

    nats-py writes the PING straight to the socket, ahead of what its flusher task has not written yet.
    """

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


async def close(client: Client) -> None:
    """Closes a client whatever its socket's state.

    nats-py writes what is pending even to a dead socket, raises, and leaves its tasks behind; so what cannot be
    sent is thrown away first, and a close that failed half-way is done again. And its task that reconnects can
    miss the one cancellation it gets (`asyncio.wait_for` before Python 3.12), and would then go on for ever.
    """
    if not client.is_connected:
        _discard_pending(client)
    try:
        await client.close()
    except OSError:
        _discard_pending(client)
        client._status = Client.DISCONNECTED
        await client.close()
    reconnecting = client._reconnection_task
    while reconnecting is not None and not reconnecting.done():
        reconnecting.cancel()
        await asyncio.wait({reconnecting}, timeout=CANCEL_AGAIN_S)


def fail_questions(client: Client) -> None:
    """Fails every question that is on its way: its answer will not come over another connection."""
    for future in list(client._resp_map.values()):
        if not future.done():
            future.set_exception(ConnectionLost("the connection broke before the answer"))


def _discard_pending(client: Client) -> None:
    client._pending.clear()
    client._pending_data_size = 0
