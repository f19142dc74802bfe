#!/usr/bin/env bash
# What the browser tests need of the machine: a Chromium and nginx, from PATH, else Debian's by apt (root only).
set -euo pipefail
PATH="$PATH:/usr/sbin:/usr/local/sbin"

missing=()
if ! command -v chromium chromium-browser google-chrome >/dev/null; then missing+=(chromium); fi
if ! command -v nginx >/dev/null; then missing+=(nginx-light); fi
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "The browser tests need Chromium and nginx: install them (Debian: apt-get install ${missing[*]}) and try again." >&2
    exit 1
fi
echo "installing ${missing[*]} by apt"
log=$(mktemp)
if ! { DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
       DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
rm -f "$log"
