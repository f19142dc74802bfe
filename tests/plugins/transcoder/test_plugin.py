"""What loading the plugin costs the process that has it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from streamgate_transcoder.plugin import PLUGIN
import streamgate_transcoder.media_jobs, streamgate_transcoder.routes
assert PLUGIN.name == "transcoder"
print("av" in sys.modules, any(name.split(".")[0].startswith("streamgate_") and
    not name.startswith("streamgate_transcoder") for name in sys.modules))
"""

TEXTS = ("ass", "chapters", "cues", "markup", "reading", "settings", "subrip", "webvtt")
CHILD = """
import sys
import streamgate_transcoder.media.child
print(sorted(name for name in sys.modules if name.startswith("streamgate") and "transcoder" not in name))
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


def test_libav_is_never_loaded_into_the_server() -> None:
    assert run(PROGRAM) == "False False"


def test_a_child_loads_contracts_and_nothing_of_the_kernels_runtime() -> None:
    expected = [
        "streamgate",
        "streamgate.contracts",
        "streamgate.contracts.captions",
        "streamgate.contracts.languages",
        "streamgate.contracts.media",
        "streamgate.contracts.pictures",
        "streamgate.contracts.profiles",
        "streamgate.errors",
        "streamgate.sdk",
        "streamgate.sdk.languages",
        "streamgate.sdk.texts",
        "streamgate.sdk.timedtext",
        *(f"streamgate.sdk.timedtext.{name}" for name in TEXTS),
        "streamgate.wire",
    ]
    assert run(CHILD) == str(expected)
