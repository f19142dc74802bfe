"""Jobs of kind `blob.collect_garbage`: deletes what attempts left that came to nothing."""

from __future__ import annotations

from functools import partial

import attrs

from streamgate.contracts.hooks import JobKind, JobRun
from streamgate.sdk.blobs import BlobStore
from streamgate.sdk.clock import Clock
from streamgate.sdk.db import Database
from streamgate.settings import config_field
from streamgate_worker import garbage

KIND = "blob.collect_garbage"
PAGE = 50


@attrs.frozen(kw_only=True)
class CollectGarbage:
    limit: int = config_field(
        500,
        help="Prefixes of lost leases that one job removes at most, 1 to 10000.",
        validator=[attrs.validators.ge(1), attrs.validators.le(10_000)],
    )


@attrs.frozen(kw_only=True)
class Collected:
    """`left`: prefixes that are noted still; they may be too young."""

    prefixes: int
    objects: int
    left: int


class Collecting:
    def __init__(self, db: Database, blobs: BlobStore, clock: Clock) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock

    @property
    def kind(self) -> JobKind:
        return JobKind(
            name=KIND,
            summary="Deletes the blobs of attempts that came to nothing (10 minutes after their lease ended). Runs by "
            "itself once an hour where there are some.",
            payload=CollectGarbage,
            result=Collected,
            handler=self.collect,
        )

    async def collect(self, wanted: CollectGarbage, run: JobRun) -> Collected:
        """What is deleted is forgotten page by page: a repeat goes on where this one was cut off."""
        prefixes = objects = 0
        while prefixes < wanted.limit:
            page = min(PAGE, wanted.limit - prefixes)
            now_ms = self._clock.now_ms()
            due = await self._db.read(partial(garbage.due, now_ms=now_ms, limit=page))
            if not due:
                break
            for prefix in due:
                objects += await self._blobs.delete_prefix(f"{prefix}/")
            await self._db.write(partial(garbage.forget, prefixes=due))
            prefixes += len(due)
            run.report(prefixes / wanted.limit, f"{prefixes} prefixes")
        left = await self._db.read(garbage.count)
        return Collected(prefixes=prefixes, objects=objects, left=left)
