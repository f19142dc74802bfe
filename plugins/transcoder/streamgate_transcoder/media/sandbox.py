"""What a child may still do once it holds a stranger's file: compute, and talk on the line it has.

Called after everything is imported and the source's descriptor is here, so that no file needs opening any
more. Resource limits work on every Unix; the system call filter needs Linux on x86-64 or arm64. Elsewhere only the
limits hold, and `streamgate doctor` says so.
"""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

from .seccomp import filter_system_calls
from .task import SandboxLimits

_OOM_SCORE = Path("/proc/self/oom_score_adj")


def stand_back(limits: SandboxLimits) -> None:
    """Behind other work of the machine, with all threads that are started from now on."""
    os.nice(limits.niceness)


def enter(limits: SandboxLimits) -> bool:
    """Gives up what is not needed, for good, in all threads. Returns whether system calls are filtered too."""
    if sys.platform == "linux":
        with suppress(OSError):  # no /proc: then the kernel chooses as it likes
            _OOM_SCORE.write_text("1000", encoding="ascii")  # where memory runs out, this process is the one to end
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    # The soft limit ends the process by SIGXCPU, the hard one a second later by SIGKILL.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # Descriptors that are open stay; no file, socket or pipe can be added. Threads count as processes.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    if not limits.may_start_threads:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return filter_system_calls()


def main() -> int:
    """Whether a child of this machine has a filter, tried by becoming one: exit code 0 if so. For `doctor`."""
    return 0 if enter(SandboxLimits()) else 1


if __name__ == "__main__":
    sys.exit(main())
