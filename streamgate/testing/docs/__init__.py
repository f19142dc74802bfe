"""Documents made from the code: `python -m streamgate.testing.docs --write` makes them, `--check` says whether they
are as the code is (the architecture tests ask the same).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamgate.testing.docs.api import api_reference
from streamgate.testing.docs.built import ROOT
from streamgate.testing.docs.cli import cli_reference
from streamgate.testing.docs.config import config_reference
from streamgate.testing.docs.errors import errors_reference
from streamgate.testing.docs.events import events_reference
from streamgate.testing.docs.grpc import grpc_reference
from streamgate.testing.docs.security import security_reference
from streamgate.testing.metrics_docs import metrics_reference

__all__ = ["GENERATED", "ROOT"]

GENERATED: Mapping[str, Callable[[], str]] = {
    "docs/reference/api.md": api_reference,
    "docs/reference/cli.md": cli_reference,
    "docs/reference/config.md": config_reference,
    "docs/reference/errors.md": errors_reference,
    "docs/reference/events.md": events_reference,
    "docs/reference/grpc.md": grpc_reference,
    "docs/reference/metrics.md": metrics_reference,
    "docs/reference/security.md": security_reference,
}
