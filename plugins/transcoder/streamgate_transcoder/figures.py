"""What a transcoder says of itself: its children, the queue behind them, and how fast they are."""

from __future__ import annotations

import attrs

from streamgate.contracts.jobs import Jobs, QueueQuery

from .pool import ChildPool
from .sizing import Sizing
from .throughput import Throughput


@attrs.frozen(kw_only=True)
class WorkersShown:
    """Children of this process: `least` wait when nothing is to be done, `most` may work at once by configuration,
    `places` by the memory there is now; `now` are there, `busy` of them at work."""

    least: int
    most: int
    places: int
    now: int
    busy: int


@attrs.frozen(kw_only=True)
class FiguresShown:
    """`queue_depth` and `running` are everybody's, `workers` and `media_s_per_s` (seconds of media made per second,
    over the last minute) of this process."""

    instance: str
    queue_depth: int
    running: int
    oldest_queued_s: float
    workers: WorkersShown
    media_s_per_s: float


class Figures:
    def __init__(
        self,
        pool: ChildPool,
        sizing: Sizing,
        throughput: Throughput,
        jobs: Jobs,
        kinds: tuple[str, ...],
        *,
        instance: str,
    ) -> None:
        self._pool = pool
        self._sizing = sizing
        self._throughput = throughput
        self._jobs = jobs
        self._kinds = kinds
        self._instance = instance

    async def now(self) -> FiguresShown:
        depth = await self._jobs.depth(QueueQuery(kinds=self._kinds))
        holding = self._pool.holding
        return FiguresShown(
            instance=self._instance,
            queue_depth=depth.queued,
            running=depth.running,
            oldest_queued_s=depth.oldest_queued_s,
            workers=WorkersShown(
                least=self._pool.warm,
                most=self._sizing.most,
                places=self._sizing.places(holding),
                now=holding + self._pool.waiting,
                busy=self._pool.busy,
            ),
            media_s_per_s=self._throughput.media_s_per_s(),
        )
