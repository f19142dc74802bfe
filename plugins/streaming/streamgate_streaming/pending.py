"""What is listed and not made yet: a request for it waits while it is made, once, however many wait.

A copied rendition is cut by the transcoder, now; what was cut is remembered here, for the job that copies all of it
brings it into the index. What is encoded comes by the checkpoints of its job, which jumps the queue, and is looked for
in the index.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Counted
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial

from loguru import logger
from prometheus_client import Counter
from sqlalchemy.orm import Session

from streamgate.contracts.media import MediaPlan
from streamgate.contracts.streaming import SegmentPending, SegmentUnknown
from streamgate.contracts.transcode import CutQuery, Transcoder
from streamgate.errors import StreamgateError
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.sdk.playlists.presentation import Segment

from .asking import Asking
from .loading import INIT, init_of, made_init, made_segment
from .plans import plan_blob
from .verify import PartRefused, check_part, planned

WAIT_S = 8.0
"""Players give up at ten."""
MOST_OF_SESSION = 4
MOST = 256
_LOOK_EVERY_S = 0.25
_AHEAD = 2
"""Segments that are cut at once: whoever wants one wants the next one, too."""
_KEPT = 8_192
_RETRY_AFTER_S = 1

_MADE = Counter("streamgate_stream_pending_total", "Requests for what was not made yet.", ["result"])

Place = tuple[str, int, str, int]
"""Content, media version, rendition, number."""


class Pending:
    def __init__(self, db: Database, transcoder: Transcoder, asking: Asking, clock: Clock) -> None:
        self._db = db
        self._asking = asking
        self._transcoder = transcoder
        self._clock = clock
        self._known: OrderedDict[Place, Segment] = OrderedDict()
        self._making: dict[Place, asyncio.Task[None]] = {}
        self._waiting: Counted[str] = Counted()

    def known(self, plan: MediaPlan, rendition_id: str, n: int) -> Segment | None:
        """The segment, where it was made and is not in the index yet."""
        return self._known.get((plan.content_id, plan.media_version, rendition_id, n))

    async def made(
        self,
        plan: MediaPlan,
        rendition_id: str,
        n: int,
        *,
        session_id: str,
        most: int = MOST_OF_SESSION,
        near: int = 0,
    ) -> Segment:
        """The segment (`INIT`: the head), when it is made.

        Args:
            session_id: who waits; of these at most so many (`most`) at a time.
            near: of a head: a segment that will be asked for next.

        Raises:
            SegmentPending: not within 8 s, or so many wait already.
        """
        place = (plan.content_id, plan.media_version, rendition_id, n)
        found = self._known.get(place)
        if found is None:
            if self._waiting[session_id] >= most or self._waiting.total() >= MOST:
                _MADE.labels("refused").inc()
                raise SegmentPending("too many wait for parts already", retry_after_s=_RETRY_AFTER_S)
            self._waiting[session_id] += 1
            try:
                found = await self._wait(plan, place, near)
            finally:
                self._waiting[session_id] -= 1
                if not self._waiting[session_id]:
                    del self._waiting[session_id]
        return found

    async def _wait(self, plan: MediaPlan, place: Place, near: int) -> Segment:
        rendition = planned(plan, place[2])
        is_copied = rendition is not None and rendition.mode == "copy"
        try:
            async with asyncio.timeout(WAIT_S):
                if is_copied:
                    n = max(0, place[3])
                    whole = (*place[:2], "", n - n % _AHEAD)  # of all copied renditions at once
                    await self._once(whole, partial(self._cut, plan, place, n - n % _AHEAD))
                else:
                    await self._once(place, partial(self._look, plan, place, near))
        except TimeoutError as fault:
            _MADE.labels("late").inc()
            raise SegmentPending("it is not made yet", retry_after_s=_RETRY_AFTER_S) from fault
        except SegmentPending:
            _MADE.labels("refused").inc()
            raise
        except SegmentUnknown:
            _MADE.labels("failed").inc()
            raise
        except StreamgateError as fault:
            _MADE.labels("failed").inc()
            logger.bind(content_id=place[0], n=place[3], code=fault.code).warning("segment could not be cut")
            raise SegmentPending(f"it could not be made now: {fault.title}", retry_after_s=_RETRY_AFTER_S) from fault
        found = self._known.get(place)
        if found is None:
            _MADE.labels("failed").inc()
            raise SegmentPending("what was made is not what was planned", retry_after_s=_RETRY_AFTER_S)
        _MADE.labels("made").inc()
        return found

    async def _once(self, place: Place, make: Callable[[], Awaitable[None]]) -> None:
        """Whoever comes while it is made waits for the same; it goes on when one of them leaves."""
        await asyncio.shield(self._begin(place, make))

    def _begin(self, place: Place, make: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        making = self._making.get(place)
        if making is None:
            making = self._making[place] = asyncio.ensure_future(self._made_in_time(make))
            making.add_done_callback(partial(self._made_once, place))
        return making

    def _made_once(self, place: Place, making: asyncio.Task[None]) -> None:
        del self._making[place]
        if not making.cancelled():
            making.exception()  # whoever waited was told, or has left

    async def _made_in_time(self, make: Callable[[], Awaitable[None]]) -> None:
        async with asyncio.timeout(WAIT_S):
            await make()

    async def _cut(self, plan: MediaPlan, place: Place, seg_from: int) -> None:
        found = await self._db.read(partial(_indexed, place=place))
        if found is not None:
            self._keep(place, found)
            return
        query = CutQuery(
            content_id=plan.content_id,
            media_version=plan.media_version,
            plan_key=plan_blob(plan.content_id, plan.media_version, plan).key,
            seg_from=seg_from,
            seg_to=min(seg_from + _AHEAD, len(plan.video_grid) - 1),
        )
        for part in (await self._transcoder.cut(query)).parts:
            keys = [part.init_key, *(segment.key for segment in part.segments)]
            try:
                check_part(plan, part, init_sha256="")
                if not all(key.startswith(plan.copies_prefix) for key in keys):
                    raise PartRefused(f"{part.rendition_id}: it is in another place")
            except PartRefused as fault:
                logger.bind(content_id=plan.content_id, fault=str(fault)).error("what was cut is left out")
                continue
            self._keep((*place[:2], part.rendition_id, INIT), init_of(part))
            for each in part.segments:
                self._keep((*place[:2], part.rendition_id, each.n), Segment.of(each))

    async def _look(self, plan: MediaPlan, place: Place, near: int) -> None:
        rendition_id, n = place[2:]
        found = await self._db.read(partial(_indexed, place=place))
        if found is None:
            await self._asking.hurry(plan, rendition_id, n, near)
        else:  # it is there: nobody waits for what follows
            going_on = (*place[:2], f"after {rendition_id}", n if n >= 0 else near)
            self._begin(going_on, partial(self._asking.go_on, plan, rendition_id, going_on[3]))
        while found is None:
            await self._clock.sleep(_LOOK_EVERY_S)
            found = await self._db.read(partial(_indexed, place=place))
            if found is None and not await self._asking.is_under_way(plan, rendition_id, n):
                await self._asking.hurry(plan, rendition_id, n, near)
        self._keep(place, found)

    def _keep(self, place: Place, segment: Segment) -> None:
        self._known[place] = segment
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)


def _indexed(session: Session, place: Place) -> Segment | None:
    content_id, media_version, rendition_id, n = place
    if n == INIT:
        return made_init(session, content_id, media_version, rendition_id)
    return made_segment(session, content_id, media_version, rendition_id, n)
