"""In what words a plugin, or the SDK, says what it does on the bus."""

from __future__ import annotations

from typing import Any, Literal

import attrs

from streamgate.events import EventType, Topic
from streamgate.services import ServiceRef


@attrs.frozen
class Asks:
    """Some methods of a service, where all of it would be too much: `Asks(AUTH, ("jwks",))`."""

    ref: ServiceRef[Any]
    methods: tuple[str, ...]


Asked = ServiceRef[Any] | Asks
Told = EventType[Any] | Topic[Any] | str
"""Something to be told or heard; plain subjects are for what is no envelope."""


@attrs.frozen(kw_only=True)
class BusUse:
    """What the SDK does on the bus in every process, or only where a plugin `uses_blobs` or `uses_database`.

    Named by entry points of the group `streamgate.everywhere`.
    """

    asks: tuple[Asked, ...] = ()
    tells: tuple[Told, ...] = ()
    hears: tuple[Told, ...] = ()
    only_with: Literal["", "uses_blobs", "uses_database"] = ""
