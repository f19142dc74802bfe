"""Puts what npm has installed where the page serves it from, as its authors ship it: hls.js, and for the throw-away
wallet of the dev profile an elliptic curve and a hash.

Run by `make install` after npm; `streamgate_web/static/vendor/` is not in the repository.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
VENDORED = {
    "hls.js/dist/hls.min.js": "hls.min.js",
    "hls.js/LICENSE": "hls.LICENSE.txt",
    "@noble/secp256k1/index.js": "secp256k1.js",
    "@noble/secp256k1/LICENSE": "secp256k1.LICENSE.txt",
    "js-sha3/build/sha3.min.mjs": "sha3.js",
    "js-sha3/LICENSE.txt": "sha3.LICENSE.txt",
}


def main() -> None:
    vendor = HERE / "streamgate_web" / "static" / "vendor"
    vendor.mkdir(parents=True, exist_ok=True)
    for source, name in VENDORED.items():
        shutil.copyfile(HERE / "node_modules" / source, vendor / name)


if __name__ == "__main__":
    main()
