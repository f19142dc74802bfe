"""Inside the sandbox: what a decoder in a stranger's hands could try. Each attempt runs in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streamgate.testing.attacks import attack

ATTEMPTS = {
    "open a file": "open('/etc/hostname')",
    "open a file by the raw call": "os.open('/etc/hostname', os.O_RDONLY)",
    "write a file": "os.open('/tmp/streamgate-sandbox', os.O_CREAT | os.O_WRONLY)",
    "open a socket": "socket.socket()",
    "make a socket pair": "socket.socketpair()",
    "fork": "os.fork()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "replace itself": "os.execv('/bin/true', ['true'])",
    "remove a file": "os.unlink('/tmp/streamgate-sandbox-absent')",
    "rename a file": "os.rename('/tmp/streamgate-sandbox-a', '/tmp/streamgate-sandbox-b')",
    "kill its parent": "os.kill(os.getppid(), 0)",
    "start over with more memory": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)) or open('/etc/hostname')",
}

SCRIPT = """
import os, resource, socket, errno
from streamgate_transcoder.media import sandbox
from streamgate_transcoder.media.task import SandboxLimits
assert sandbox.enter(SandboxLimits(niceness=0)), "no system call filter here"
try:
    {attempt}
except (OSError, ValueError) as error:
    # EPERM from the filter, EMFILE from the limit: not ENOENT, which would mean that the call was looked at.
    assert not isinstance(error, OSError) or error.errno in (errno.EPERM, errno.EMFILE), error
    os.write(1, b"refused")
"""


@attack("A9", "B31")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_child_in_the_sandbox_cannot(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(attempt=ATTEMPTS[name])], capture_output=True, check=False, timeout=30
    )
    assert done.stdout == b"refused", done.stderr.decode()
