"""`make split`: every service as a process of its own over real NATS, PostgreSQL, Redis and S3, until Ctrl-C.

The servers are throw-away: what is uploaded is gone afterwards.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

from streamgate.testing.processes import DidNotStart
from streamgate.testing.stacks import split


def main() -> int:
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with tempfile.TemporaryDirectory(prefix="streamgate-split-") as name:
        folder = Path(name)
        print("starting NATS, PostgreSQL, Redis, S3 and a process for each service …", flush=True)
        try:
            with split(folder) as stack:
                for name, server in stack.servers.items():
                    print(f"  {name:<14} pid {server.pid:<8} 127.0.0.1:{server.port}")
                for service, process in stack.processes.items():
                    print(f"  {service:<14} pid {process.pid:<8} {process.base_url}")
                print(f"ready in {stack.ready_s:.1f} s; logs in {folder}")
                print(f"\n  open {stack.url}\n\nCtrl-C ends it", flush=True)
                done.wait()
                print("ending", flush=True)
        except DidNotStart as fault:
            print(fault, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
