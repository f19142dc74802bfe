#!/bin/sh
# Makes what compose.split.yaml reads from ./secrets, unless it is there. Keep a copy: without master_key no key in the
# database can be read again.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets # the files themselves are readable, as containers run as users of their own
umask 022

once() { [ -e "secrets/$1" ] || printf '%s' "$2" >"secrets/$1"; }

once master_key "$(openssl rand -base64 32)"
once postgres_password "$(openssl rand -hex 24)"
once redis_password "$(openssl rand -hex 24)"
once limits_url "redis://:$(cat secrets/redis_password)@redis:6379/1"
once s3_access_key "$(openssl rand -hex 10)"
once s3_secret_key "$(openssl rand -hex 24)"
