#!/bin/sh
# hand-out-identities once | daily
#
# Issues what is missing, renews what ends within 120 days, and gives each service its own file, and NATS the
# permissions. `once`, before anything runs: all at once. `daily`, while everything runs: NATS first, then one service
# after another, each with time to start anew (on-change.sh ends it when its file has changed). The identities before
# stay good until their own end, so it does not matter who has which meanwhile. To do it again is harmless.
#
# IDENTITY_FROM: the folder with all identities and the key that makes them. IDENTITY_TO: has a folder for each service,
# and one for NATS, each mounted in that service's container alone. IDENTITY_OWNER: the services' user and group.
set -eu
mode=$1
from=${IDENTITY_FROM:-/identity} to=${IDENTITY_TO:-/for} owner=${IDENTITY_OWNER:-10001:10001}
every_s=${IDENTITY_EVERY_S:-86400} pause_s=0
[ "$mode" = once ] || pause_s=${IDENTITY_PAUSE_S:-120}

roles() { for folder in "$to"/*/; do basename "$folder"; done | grep -vx nats; }

issue_missing() {
    set --
    for role in $(roles); do
        [ -e "$from/$role.json" ] || set -- "$@" --role "$role"
    done
    [ $# -eq 0 ] || streamgate identity issue --out "$from" "$@"
}

put() { # FROM TO MODE: at once whole, and only where it is another
    if ! cmp -s "$1" "$2"; then
        install -o "${owner%:*}" -g "${owner#*:}" -m "$3" "$1" "$2.new"
        mv -f "$2.new" "$2"
        echo "$2 is new"
        rest "$pause_s"
    fi
}

rest() { # so that a signal is heard meanwhile
    sleep "$1" &
    resting=$!
    wait "$resting"
    resting=
}

leave() {
    [ -z "$resting" ] || kill "$resting" 2>/dev/null
    exit 0
}

hand_out() {
    put "$from/nats.conf" "$to/nats/nats.conf" 0444
    for role in $(roles); do
        put "$from/$role.json" "$to/$role/identity.json" 0400
    done
}

resting=
trap leave TERM INT
while :; do
    issue_missing
    streamgate identity renew --out "$from"
    hand_out
    [ "$mode" = daily ] || exit 0
    rest "$every_s"
done
