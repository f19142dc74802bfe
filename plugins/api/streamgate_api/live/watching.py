"""One look at what is new, the same for every transport: who looks, what they are told, when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from urllib.parse import parse_qsl

import attrs
from starlette.datastructures import Headers
from starlette.types import Scope

from streamgate.errors import FieldError, Invalid, Unauthorized, Unavailable
from streamgate.sdk.clock import Clock, rfc3339
from streamgate.web.routes import SIGNED_IN, Authenticator
from streamgate.web.structure import structure
from streamgate.web.typed import check_policy
from streamgate_api.live.hub import KINDS, Event, Hub, Interest, Watcher, interest_of
from streamgate_api.live.tickets import Tickets, credentials_in


@attrs.frozen(kw_only=True)
class LiveQuery:
    """`kinds`: those to hear of, separated by commas; all where none are named. `ticket`: for pages, which can send
    no headers here."""

    kinds: str = attrs.field(default="", metadata={"help": f"Of {', '.join(KINDS)}, separated by commas; or all."})
    content_id: str = attrs.field(default="", metadata={"help": "Of this content alone."})
    ticket: str = attrs.field(default="", metadata={"help": "Instead of a credential in the headers, once."})


@attrs.frozen(kw_only=True)
class Pace:
    """`heartbeat_s`: a sign of life where nothing is new, so that nothing between takes the connection for dead.
    `check_s`: how often, at least, it is asked whether the person is still signed in."""

    heartbeat_s: float = 15.0
    check_s: float = 3.0


@attrs.frozen
class Looker:
    """Who looks at what. `credentials` are asked about again and again while they look."""

    user_id: str
    credentials: Mapping[str, str]
    interest: Interest


class Ended(Exception):
    """The last thing to say: the person is signed in no more."""

    def __init__(self, error: Unauthorized) -> None:
        super().__init__(error.code)
        self.event = Event(error.code, {"detail": error.detail})


class Looks:
    """Begins looks."""

    def __init__(
        self,
        hub: Hub,
        authenticator: Authenticator,
        tickets: Tickets,
        draining: asyncio.Event,
        clock: Clock,
        pace: Pace | None = None,
    ) -> None:
        self._hub = hub
        self._authenticator = authenticator
        self._tickets = tickets
        self._draining = draining
        self._clock = clock
        self._pace = pace or Pace()

    async def admit(self, scope: Scope) -> Looker:
        """Who asks for this request, by its headers or its ticket.

        Raises:
            Unauthorized, Forbidden, Unavailable; Invalid for the query.
        """
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        credentials = credentials_in(Headers(scope=scope))
        ticket = dict(pairs).get("ticket")
        if not credentials and ticket is not None:
            credentials = await self._tickets.redeem(ticket)
        actor = await self._authenticator.authenticate(credentials)
        check_policy(SIGNED_IN, actor)
        query = _query_of(pairs)
        return Looker(actor.user_id, credentials, interest_of(query.kinds, query.content_id))

    def enter(self, looker: Looker) -> Watcher:
        """Raises TooManyStreams. Whoever enters leaves."""
        return self._hub.enter(looker.user_id, looker.interest)

    def leave(self, watcher: Watcher) -> None:
        self._hub.leave(watcher)

    async def events(self, looker: Looker, watcher: Watcher) -> AsyncGenerator[Event | None, None]:
        """What is new as it comes; None is a heartbeat. Ends when the server stops.

        Raises:
            Ended: the credential has expired, or was revoked.
        """
        pace = self._pace
        yield Event("hello", {"at": rfc3339(self._clock.now_ms()), "heartbeat_s": pace.heartbeat_s})
        draining = asyncio.ensure_future(self._draining.wait())
        silent_s = 0.0
        try:
            while not self._draining.is_set():
                step_s = min(pace.check_s, pace.heartbeat_s)
                news = asyncio.ensure_future(watcher.next(step_s))
                await asyncio.wait({news, draining}, return_when=asyncio.FIRST_COMPLETED)
                if not news.done():
                    news.cancel()
                    return
                await self._still_signed_in(looker)
                silent_s = 0.0 if news.result() else silent_s + step_s
                for event in news.result():
                    yield event
                if silent_s >= pace.heartbeat_s:
                    silent_s = 0.0
                    yield None
        finally:
            draining.cancel()

    async def _still_signed_in(self, looker: Looker) -> None:
        try:
            await self._authenticator.authenticate(looker.credentials)
        except Unauthorized as fault:
            raise Ended(fault) from fault
        except Unavailable:
            return  # not known now is no reason to send somebody away who was let in


def _query_of(pairs: Sequence[tuple[str, str]]) -> LiveQuery:
    """Raises Invalid."""
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        errors = tuple(FieldError(name, "is given more than once") for name in twice)
        raise Invalid("the query is not valid: a name is given more than once", errors=errors)
    return structure(LiveQuery, dict(pairs), what="the query", from_texts=True)
