"""Spans on their way out: OTLP over HTTP, in batches, by a thread of OpenTelemetry's SDK.

The queue is bounded: while the collector is away spans are lost and nothing else happens. Ids and sampling are ours
(`tracing.py`), since they travel with the call; the SDK is given spans that are over.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loguru import logger

from streamgate.telemetry.measures import Counts
from streamgate.telemetry.tracing import TRACING, FinishedSpan

if TYPE_CHECKING:
    from streamgate.telemetry.otlp import Pipe

DRAIN_S = 3.0

SPANS = Counts(
    "streamgate_telemetry_spans_total",
    "Spans by what became of them: recorded, sent, failed (the collector did not take them).",
    ("outcome",),
)


class SpanExport:
    """A unit: from its start to its stop this process records what is sampled.

    Args:
        url: of the collector; `/v1/traces` is added where it has no path.
        resource: what is said of this process with every span (`service.name`, …).
    """

    name = "telemetry.spans"
    needs: tuple[str, ...] = ()

    def __init__(self, url: str, resource: Mapping[str, str], *, drain_s: float = DRAIN_S) -> None:
        self._url = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/traces"
        self._resource = resource
        self._drain_s = drain_s
        self._pipe: Pipe | None = None

    async def start(self) -> None:
        from streamgate.telemetry.otlp import Pipe

        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns of each span that finds no room
        self._pipe = Pipe(self._url, self._resource, SPANS)
        TRACING.recorder = self
        logger.bind(collector=urlsplit(self._url).netloc).info("spans are exported")

    async def stop(self) -> None:
        """Sends what waits, for at most `drain_s`; a collector that does not answer keeps nobody."""
        pipe, self._pipe = self._pipe, None
        if TRACING.recorder is self:
            TRACING.recorder = None
        if pipe is None:
            return
        # A daemon thread, which the end of the process does not wait for.
        ending = threading.Thread(target=pipe.shutdown, name=self.name, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, self._drain_s)
        if ending.is_alive():
            logger.bind(unit=self.name).warning("the collector did not take the last spans")
            pipe.give_up()
            await asyncio.to_thread(ending.join, 1.0)

    def record(self, span: FinishedSpan) -> None:
        pipe = self._pipe
        if pipe is not None:
            SPANS.of("recorded").add()
            pipe.put(span)
