"""`make bench [ARGS="gateway cache --json FILE"]`: every figure beside its peer, in one run.

Exit code 1 when a limit is missed. All of it runs on one machine: the load generators share its cores with what they
load, so that absolute figures are floors and the ratios are what to go by.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from loguru import logger

from streamgate.runtime import SWITCH_S
from tests.bench.figures import HEAD, Row, missed, summary

GROUPS = {
    "start": ("start",),
    "calls": ("calls",),
    "gateway": ("edge", "forwarding", "grpc_unary"),
    "upload": ("upload",),
    "streaming": ("streaming", "playlists", "sessions", "packaging"),
    "delivery": ("delivery",),
    "metadata": ("metadata",),
    "cache": ("cache",),
    "auth": ("auth",),
    "ending": ("ending",),
    "worker": ("worker",),
    "monitor": ("monitor",),
    "transcoder": ("transcoder",),
    "playable": ("playable",),
    "encode": ("encode",),
    "pictures": ("pictures",),
}
"""Group to modules of this package; each has `measure(folder) -> list of rows`, and says in its docstring what is
measured, how, and in how many processes."""


def _measure(group: str, folder: Path) -> list[Row]:
    rows: list[Row] = []
    for name in GROUPS[group]:
        place = folder / name
        place.mkdir()
        place.chmod(0o755)  # database servers run as users of their own
        for row in importlib.import_module(f"tests.bench.{name}").measure(place):
            print(row.row(), flush=True)
            rows.append(row)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; without one, all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the figures there, too")
    given = parser.parse_args()
    if unknown := set(given.groups) - GROUPS.keys():
        parser.error(f"no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    logger.configure(handlers=[{"sink": sys.stderr, "level": "ERROR"}])  # the table is what is to be seen
    sys.setswitchinterval(SWITCH_S)  # what is measured in this process is as in `streamgate run`
    machine = f"{platform.platform()} · {os.cpu_count()} cores · Python {platform.python_version()}"
    print(f"{machine} · load {os.getloadavg()[0]:.1f}")
    found: dict[str, list[Row]] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="streamgate-bench-") as name:
        Path(name).chmod(0o755)
        for group in given.groups or GROUPS:
            print(f"\n{group}\n{HEAD}", flush=True)
            group_began = time.monotonic()
            found[group] = _measure(group, Path(name))
            print(f"({time.monotonic() - group_began:.0f} s)", flush=True)
    rows = [row for each in found.values() for row in each]
    print("", f"measured in {time.monotonic() - began:.0f} s", *summary(rows), sep="\n")
    if given.json is not None:
        answer: dict[str, Any] = {group: [row.plain() for row in each] for group, each in found.items()}
        given.json.write_text(json.dumps({"machine": machine, "groups": answer}, indent=2), encoding="utf-8")
    return 1 if missed(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
