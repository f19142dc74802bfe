"""One lasting connection to NATS. What nats-py does not do by itself, and is done here:

- Its first connect waits 2 s after a refusal and logs a traceback for each: we pass a short pause and our own
  error callback, and bound the whole start.
- An error from the server (`-ERR`) closes a connection for good: a closed one is replaced, and every
  subscription attached to the new one.
- Closing it while the server is away raises and leaves tasks behind: see `close`.
- A question that is on its way when the connection breaks waits for its time-out: ours fail at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import nats.errors
import nats.js.errors
from loguru import logger
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.js import JetStreamContext

from streamgate.bus.base import BusUnavailable
from streamgate.bus.lanes import spawn_apart

CONNECT_TIMEOUT_S = 2
API_TIMEOUT_S = 5.0
FLUSH_TIMEOUT_S = 2
PING_INTERVAL_S = 10  # two unanswered ones in a row mean a dead connection
CANCEL_AGAIN_S = 0.1
RECONNECT_GRACE_S = 1.0  # how long a question waits for a broken connection to come back


class ConnectionLost(Exception):
    """The connection is down, or broke before the answer came."""


FAULTS = (nats.errors.Error, OSError, ConnectionLost)
"""What using a connection may raise (OSError includes TimeoutError)."""


class Attached(Protocol):
    """A subscription of ours, which outlives connections."""

    async def attach(self) -> None:
        """Subscribes on the present connection."""

    def reconnected(self) -> None:
        """The connection is back, with its subscriptions; something may have been missed."""

    async def stop(self) -> None: ...


class Connection:
    """See `NatsBus` for the arguments. `on_connect` runs on each new connection before it counts as one."""

    def __init__(
        self,
        url: str,
        *,
        name: str,
        start_timeout_s: float,
        reconnect_wait_s: float,
        on_connect: Callable[[], Awaitable[None]],
    ) -> None:
        self._urls = [part.strip() for part in url.split(",")]
        self._name = name
        self._start_timeout_s = start_timeout_s
        self._reconnect_wait_s = reconnect_wait_s
        self._on_connect = on_connect
        self._client = Client()
        self._is_connected = asyncio.Event()
        self._is_running = False
        self._attached: list[Attached] = []
        self._replacing: asyncio.Task[None] | None = None
        self._last_error: Exception | None = None

    @property
    def address(self) -> str:
        """Where the servers are, without credentials."""
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self._urls)

    @property
    def client(self) -> Client:
        """The present connection; another one after the server has closed it."""
        return self._client

    @property
    def is_connected(self) -> bool:
        return self._is_connected.is_set()

    @property
    def jetstream(self) -> JetStreamContext:
        return self._client.jetstream(timeout=API_TIMEOUT_S)

    # --- life ---------------------------------------------------------------------------------------

    async def start(self) -> None:
        await self._connect()
        self._is_running = True

    async def _connect(self) -> None:
        client = self._client = Client()
        self._last_error = None
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await client.connect(
                    servers=self._urls,
                    name=self._name,
                    error_cb=self._on_error,
                    disconnected_cb=self._on_disconnected,
                    reconnected_cb=self._on_reconnected,
                    closed_cb=self._on_closed,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=self._reconnect_wait_s,  # type: ignore[arg-type]  # says int, takes seconds
                    connect_timeout=CONNECT_TIMEOUT_S,
                    ping_interval=PING_INTERVAL_S,
                )
                await self._prepare()
        except FAULTS as fault:
            await close(client)
            reason = self._last_error or fault
            raise BusUnavailable(
                f"NATS at {self.address} was not ready within {self._start_timeout_s:g} s: {reason or 'no answer'}"
            ) from fault
        except BaseException:
            await close(client)
            raise
        self._is_connected.set()

    async def _prepare(self) -> None:
        while True:
            try:
                await self._on_connect()
                break
            except nats.js.errors.ServiceUnavailableError:  # just restarted: it may still be recovering
                self._last_error = ConnectionLost("JetStream does not answer (nats-server needs -js)")
                await asyncio.sleep(self._reconnect_wait_s)
            except nats.errors.Error as fault:
                self._last_error = fault
                await asyncio.sleep(self._reconnect_wait_s)

    async def stop(self) -> None:
        attached, self._attached = self._attached, []
        await asyncio.gather(*(one.stop() for one in attached))
        self._is_running = False
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.wait({self._replacing})
        if self._client.is_connected:
            try:
                await self._client.flush(timeout=FLUSH_TIMEOUT_S)  # the last acknowledgements
            except FAULTS as fault:
                logger.bind(error=repr(fault)).warning("bus closed without a last flush")
        await close(self._client)
        self._is_connected.clear()

    # --- what nats-py tells us ------------------------------------------------------------------------

    async def _on_error(self, fault: Exception) -> None:
        is_news = repr(fault) != repr(self._last_error)  # each attempt to reconnect reports the same
        if not (isinstance(fault, OSError) and isinstance(self._last_error, nats.errors.Error)):
            self._last_error = fault  # what the server said (wrong password) tells more than a closed socket
        if isinstance(fault, nats.errors.SlowConsumerError):
            logger.bind(subject=fault.subject).warning("bus dropped messages: the process is too slow")
            self._tell_attached()
        elif is_news:
            logger.bind(address=self.address, error=repr(fault)).debug("bus connection error")

    async def _on_disconnected(self) -> None:
        if self._is_connected.is_set() and self._is_running:
            logger.bind(address=self.address).warning("bus connection lost")
        self._is_connected.clear()
        fail_questions(self._client)

    async def _on_reconnected(self) -> None:
        logger.bind(address=self.address).info("bus connection back")
        self._is_connected.set()
        self._tell_attached()

    def _tell_attached(self) -> None:
        for attached in self._attached:
            attached.reconnected()

    async def _on_closed(self) -> None:
        if self._is_running and (self._replacing is None or self._replacing.done()):
            self._replacing = spawn_apart(self._replace())

    async def _replace(self) -> None:
        logger.bind(address=self.address, error=repr(self._last_error)).error("bus connection closed by the server")
        while self._client.is_closed:
            try:
                await self._connect()
                for attached in list(self._attached):
                    await attached.attach()
            except (BusUnavailable, *FAULTS) as fault:
                logger.bind(error=str(fault)).warning("bus connection could not be replaced yet")
                self._is_connected.clear()
                await close(self._client)
                await asyncio.sleep(self._reconnect_wait_s)
        logger.bind(address=self.address).info("bus connection back")

    # --- use ------------------------------------------------------------------------------------------

    async def flush(self) -> None:
        """Returns when the server has answered; raises BusUnavailable when it does not."""
        if not self._is_connected.is_set():
            raise BusUnavailable(f"NATS at {self.address} is not connected: {self._last_error or 'not started'}")
        try:
            await self._client.flush(timeout=FLUSH_TIMEOUT_S)
        except FAULTS as fault:
            raise BusUnavailable(f"NATS at {self.address} does not answer") from fault

    async def attach(self, subscription: Attached) -> None:
        """Keeps a subscription alive over connections.

        Raises:
            BusUnavailable: it could not be made.
        """
        try:
            await subscription.attach()
        except BaseException as fault:
            await subscription.stop()
            if isinstance(fault, FAULTS):
                raise BusUnavailable(f"could not subscribe at {self.address}: {fault}") from fault
            raise
        self._attached.append(subscription)

    def detach(self, subscription: Attached) -> None:
        if subscription in self._attached:
            self._attached.remove(subscription)

    async def ask(
        self, subject: str, payload: bytes, *, timeout_s: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """One question over the present connection.

        Raises:
            ConnectionLost: there is none (after a short wait for it), or it broke.
            TimeoutError: no answer in time.
            nats.errors.NoRespondersError: nobody there.
        """
        if not self._is_running:
            raise ConnectionLost("the bus is not running")
        if not self._is_connected.is_set():
            try:
                async with asyncio.timeout(min(timeout_s, RECONNECT_GRACE_S)):
                    await self._is_connected.wait()
            except TimeoutError:
                raise ConnectionLost(f"not connected to NATS at {self.address}") from None
        return await self._client.request(subject, payload, timeout=timeout_s, headers=headers)


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
