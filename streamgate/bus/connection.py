"""One lasting connection to NATS, and the subscriptions that outlive its breaks (`client.py`: nats-py itself)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import attrs
import nats.errors
import nats.js.errors
from loguru import logger
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from streamgate.bus.base import BusUnavailable, Login
from streamgate.bus.client import FAULTS, FLUSH_TIMEOUT_S, ConnectionLost, OrderedClient, close, fail_questions
from streamgate.bus.lanes import spawn_apart

CONNECT_TIMEOUT_S = 2
API_TIMEOUT_S = 5.0
PING_INTERVAL_S = 10  # two unanswered ones in a row mean a dead connection
RECONNECT_GRACE_S = 1.0  # how long a question waits for a broken connection to come back


class Attached(Protocol):
    """A subscription of ours, which outlives connections."""

    async def attach(self) -> None:
        """Subscribes on the present connection."""

    def reconnected(self) -> None:
        """The connection is back, with its subscriptions; something may have been missed."""

    async def stop(self) -> None: ...


@attrs.define(eq=False, kw_only=True)
class Connection:
    """See `NatsBus` for the arguments. `on_connect` runs on each new connection before it counts as one."""

    _urls: list[str]
    _name: str
    _start_timeout_s: float
    _reconnect_wait_s: float
    _on_connect: Callable[[], Awaitable[None]]
    _login: Login | None = None
    _client: OrderedClient = attrs.field(init=False, factory=OrderedClient)
    _is_connected: asyncio.Event = attrs.field(init=False, factory=asyncio.Event)
    _is_running: bool = attrs.field(init=False, default=False)
    _attached: list[Attached] = attrs.field(init=False, factory=list)
    _replacing: asyncio.Task[None] | None = attrs.field(init=False, default=None)
    _last_error: Exception | None = attrs.field(init=False, default=None)

    @property
    def address(self) -> str:
        """Where the servers are, without credentials."""
        return ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in self._urls)

    @property
    def client(self) -> OrderedClient:
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
        client = self._client = OrderedClient(self._login)
        self._last_error = None
        opening = asyncio.create_task(self._open(client))
        try:
            async with asyncio.timeout(self._start_timeout_s):
                await asyncio.shield(opening)
        except FAULTS as fault:
            await close(client, opening)
            reason = self._last_error or fault
            raise BusUnavailable(
                f"NATS at {self.address} was not ready within {self._start_timeout_s:g} s: {reason or 'no answer'}"
            ) from fault
        except BaseException:
            await close(client, opening)
            raise
        self._is_connected.set()

    async def _open(self, client: OrderedClient) -> None:
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
            **client.login_options(),
        )
        await self._prepare()

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
        elif self._client.denied_by(fault):
            logger.bind(address=self.address, error=str(fault)).error("the bus server denies it: not granted to us")
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
