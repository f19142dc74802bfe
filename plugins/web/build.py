"""Puts what npm has installed where the page serves it from: hls.js, as its authors ship it.

Run by `make install` after npm; `streamgate_web/static/vendor/` is not in the repository.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
VENDORED = {"hls.js/dist/hls.min.js": "hls.min.js", "hls.js/LICENSE": "hls.LICENSE.txt"}


def main() -> None:
    vendor = HERE / "streamgate_web" / "static" / "vendor"
    vendor.mkdir(parents=True, exist_ok=True)
    for source, name in VENDORED.items():
        shutil.copyfile(HERE / "node_modules" / source, vendor / name)


if __name__ == "__main__":
    main()
