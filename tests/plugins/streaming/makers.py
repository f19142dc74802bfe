"""An upload on its way to a stream, as the tests of it begin."""

from __future__ import annotations

from typing import Any

import attrs

from streamgate.contracts.jobs import NewJob
from streamgate.contracts.media import MadeResult
from streamgate.contracts.streaming import STREAMING, MediaQuery, MediaState
from tests.plugins.streaming.theatre import Theatre


async def media(theatre: Theatre, content_id: str = "c_film") -> MediaState:
    return await theatre.home.services.get(STREAMING).media(MediaQuery(content_id=content_id))


async def begin(theatre: Theatre, **shape: Any) -> tuple[NewJob, list[NewJob]]:
    """An upload and its plan: the probe, and the jobs for the parts."""
    probe = await theatre.upload("c_film")
    return probe, await theatre.planned(probe, **shape)


def altered(result: MadeResult, rendition_id: str, **changes: Any) -> MadeResult:
    """A result whose first segment of one rendition is otherwise."""
    parts = []
    for part in result.parts:
        if part.rendition_id == rendition_id:
            first, *rest = part.segments
            part = attrs.evolve(part, segments=(attrs.evolve(first, **changes), *rest))
        parts.append(part)
    return MadeResult(parts=tuple(parts))
