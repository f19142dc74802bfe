"""Plans as jobs name them: read from the blob store, the newest few kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import orjson

from streamgate.contracts.media import MAX_PLAN_BYTES, MediaPlan
from streamgate.sdk.blobs import BlobStore
from streamgate.wire import from_plain

from .faults import PlanUnreadable

_KEPT = 8


class NamesPlan(Protocol):
    """A job's payload, or a call."""

    @property
    def content_id(self) -> str: ...

    @property
    def media_version(self) -> int: ...

    @property
    def plan_key(self) -> str: ...


class Plans:
    """Keys are immutable, so what was read once stays right."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._known: OrderedDict[str, MediaPlan] = OrderedDict()

    async def of(self, payload: NamesPlan) -> MediaPlan:
        """The plan that a job obeys.

        Raises:
            BlobMissing: it is gone, and its media version with it.
            PlanUnreadable: it is none, too large, or one of another media version.
        """
        plan = self._known.get(payload.plan_key)
        if plan is None:
            plan = self._known[payload.plan_key] = await self._read(payload.plan_key)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(payload.plan_key)
        if (plan.content_id, plan.media_version) != (payload.content_id, payload.media_version):
            raise PlanUnreadable("the plan is of another media version")
        return plan

    async def _read(self, key: str) -> MediaPlan:
        try:
            data = await self._blobs.read(key, 0, MAX_PLAN_BYTES + 1)
        except ValueError as fault:
            raise PlanUnreadable("the plan's key is no key") from fault
        if len(data) > MAX_PLAN_BYTES:
            raise PlanUnreadable(f"the plan has more than {MAX_PLAN_BYTES} bytes")
        try:
            return from_plain(MediaPlan, orjson.loads(data))
        except Exception as fault:  # cattrs raises many kinds
            raise PlanUnreadable("the plan cannot be read") from fault
