#!/usr/bin/env bash
# A Chromium for the browser tests: the one on PATH, else Debian's by apt (root only).
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) and try again." >&2
    exit 1
fi
echo "installing chromium by apt"
log=$(mktemp)
if ! { DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
       DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
rm -f "$log"
