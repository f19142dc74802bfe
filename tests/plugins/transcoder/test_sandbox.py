"""Inside the sandbox: what a decoder in a stranger's hands could try, all of it in one fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from streamgate.testing.attacks import attack
from streamgate_transcoder.diagnose import sandbox_finding
from streamgate_transcoder.media import seccomp

ATTEMPTS = {
    "open a file": "open('/etc/hostname')",
    "open a file by the raw call": "os.open('/etc/hostname', os.O_RDONLY)",
    "write a file": "os.open('/tmp/streamgate-sandbox', os.O_CREAT | os.O_WRONLY)",
    "ask whether a file exists": "os.stat('/etc/hostname')",
    "list a folder": "os.listdir('/')",
    "ask where it is": "os.getcwd()",
    "go elsewhere": "os.chdir('/')",
    "open a socket": "socket.socket()",
    "make a socket pair": "socket.socketpair()",
    "make a pipe": "os.pipe()",
    "copy a descriptor": "os.dup(1)",
    "fork": "os.fork()",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "replace itself": "os.execv('/bin/true', ['true'])",
    "remove a file": "os.unlink('/tmp/streamgate-sandbox-absent')",
    "rename a file": "os.rename('/tmp/streamgate-sandbox-a', '/tmp/streamgate-sandbox-b')",
    "kill its parent": "os.kill(os.getppid(), 0)",
    "end its own kind": "os.killpg(0, 0)",
    "start over with more memory": "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "become somebody else": "os.setuid(65534)",
    "write memory that runs": "mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)",
    "stop standing back": "os.nice(-5)",
}

SCRIPT = """
import errno, json, mmap, os, resource, socket, sys
from streamgate_transcoder.media import sandbox
from streamgate_transcoder.media.task import SandboxLimits
answers = {}
assert sandbox.enter(SandboxLimits(niceness=0)), "no system call filter here"
for name, attempt in json.loads(sys.argv[1]).items():
    try:
        exec(attempt)
        answers[name] = "done"
    except (OSError, ValueError) as fault:
        # EPERM from the filter, EMFILE from the limit: not ENOENT, which would mean that the call was looked at.
        answers[name] = errno.errorcode.get(fault.errno or 0, "") if isinstance(fault, OSError) else "not allowed"
os.write(1, json.dumps(answers).encode())
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    asked = [sys.executable, "-c", SCRIPT, json.dumps(ATTEMPTS)]
    done = subprocess.run(asked, capture_output=True, check=False, timeout=30)
    assert done.stdout, done.stderr.decode()
    result: dict[str, str] = json.loads(done.stdout)
    return result


@attack("A9", "B31")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_child_in_the_sandbox_cannot(name: str, answers: dict[str, str]) -> None:
    assert answers[name] in ("EPERM", "EMFILE", "not allowed")


def test_where_calls_cannot_be_filtered_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "_MACHINES", {})
    found = sandbox_finding(seccomp.filter_system_calls())
    assert (found.level, found.subject) == ("warning", "sandbox")
    assert found.remedy
