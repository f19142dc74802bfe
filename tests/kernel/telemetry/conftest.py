"""Spans that are recorded here, in a list."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from streamgate.telemetry.tracing import TRACING, FinishedSpan, is_loopback


@attrs.define
class Recorded:
    """A recorder that keeps what it is told."""

    spans: list[FinishedSpan] = attrs.field(factory=list)

    def record(self, span: FinishedSpan) -> None:
        self.spans.append(span)

    def named(self, name: str) -> FinishedSpan:
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Every root is sampled, and recorded here. Tracing is one for the process: it is left as it was."""
    recorder = Recorded()
    TRACING.recorder, TRACING.sample_ratio = recorder, 1.0
    yield recorder
    TRACING.recorder, TRACING.sample_ratio, TRACING.trusts, TRACING.hop = None, 0.0, is_loopback, b""
