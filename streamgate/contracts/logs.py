"""The log of every process on its way to whoever keeps it. Monitor stores it; losing some is harmless.

A line is told once, to whoever listens, and kept by no bus: what must not be lost is an audit entry or an event.
"""

from __future__ import annotations

import attrs

from streamgate.events import Topic


@attrs.frozen(kw_only=True)
class LogLine:
    """One fact. It never holds a token, a signature or a secret: they are hidden before it leaves its process.

    Args:
        at_ms: when, milliseconds since 1970, by the clock of its process.
        level: DEBUG, INFO, WARNING, ERROR or CRITICAL.
        event: what happened, in words that stay the same; `request` for each HTTP request.
        service: the plugin that says it.
        request_id, trace_id: of the call it was said in, or "".
        fields: what else tells the story, as texts; a fault adds `exception_type`, `exception` and `stack`.
    """

    at_ms: int
    level: str
    event: str
    service: str
    request_id: str = ""
    trace_id: str = ""
    fields: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class LogBatch:
    """Lines of one process, oldest first. `dropped`: how many had to be left out since its last batch. `instance` is
    the process (`auth@host-4711`)."""

    instance: str
    lines: tuple[LogLine, ...]
    dropped: int = 0


LOGS = Topic("logs.batch", LogBatch)
"""Each process tells one about once a second, as long as it has something to tell."""
