"""`make bench`: every figure beside its peer, as ratios with p50 and p99. Exit code 1 when a stated limit is missed."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from pathlib import Path

from tests.bench import cache, calls, edge, grpc_unary, processes, queue, search
from tests.bench.figures import HEAD


def main() -> int:
    print(f"{platform.platform()} · {os.cpu_count()} cores · Python {platform.python_version()}\n{HEAD}")
    missed = 0
    with tempfile.TemporaryDirectory(prefix="streamgate-bench-") as name:
        for suite in (calls, cache, edge, grpc_unary, queue, search, processes):
            folder = Path(name) / suite.__name__.rpartition(".")[2]
            folder.mkdir()
            for figure in suite.measure(folder):
                print(figure.row(), flush=True)
                missed += figure.holds is False
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
