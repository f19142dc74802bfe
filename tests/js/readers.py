"""Readers that others wrote, asked what they understand of our texts and our files."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_SYSTEM = {"linux": "linux", "darwin": "osx"}
_MACHINE = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_TIMEOUT_S = 30


def read_texts(documents: Sequence[tuple[str, str]], uri: str = "http://host/s/token/manifest.mpd") -> list[Any]:
    """What npm's hls-parser (strict) and mpd-parser understand of (`hls` | `dash`, text) pairs."""
    asked = [{"kind": kind, "text": text, "uri": uri} for kind, text in documents]
    return _asked("parse.mjs", asked)


def read_segments(tracks: Sequence[tuple[Path, Sequence[Path]]]) -> list[Any]:
    """What mp4box.js finds in (init segment, media segments) of each track."""
    asked = [{"init": str(init), "segments": [str(each) for each in segments]} for init, segments in tracks]
    return _asked("segments.mjs", asked)


def repackage(jobs: Sequence[tuple[Path, str, Path]], keys: Mapping[str, str]) -> None:
    """Has Shaka Packager make of each (file, `video` or `audio`, target) a file of its own. `keys` by their names, both
    hexadecimal: of what is encrypted."""
    name = f"packager-{_SYSTEM[sys.platform]}-{_MACHINE[platform.machine()]}"  # npm's own command hides failures
    command = [str(HERE / "node_modules" / "shaka-packager" / "bin" / name), "--quiet"]
    command += [f"in={source},stream={kind},output={target}" for source, kind, target in jobs]
    if keys:
        told = [f"label={n}:key_id={kid}:key={key}" for n, (kid, key) in enumerate(keys.items())]
        command += ["--enable_raw_key_decryption", "--keys", ",".join(told)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S)
    assert done.returncode == 0, done.stderr.decode()


def _asked(script: str, question: Any) -> list[Any]:
    done = subprocess.run(
        ["node", script],
        cwd=HERE,
        input=json.dumps(question).encode(),
        capture_output=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    answers: list[Any] = json.loads(done.stdout)
    return answers
