#!/bin/sh
# on-change SIGNAL FILE COMMAND [ARGUMENT...]
#
# Runs a command, and sends it the signal whenever FILE is another than it was: HUP, where the command reads the file
# again by itself; TERM, where it reads it at its start only, and the container's restart policy starts it anew.
# Ends with the command, and as it did. ON_CHANGE_LOOK_S: how often the file is looked at.
set -u
signal=$1 file=$2
shift 2

sum() { cksum "$file" 2>/dev/null; }

watch_file() {
    while sleep "${ON_CHANGE_LOOK_S:-30}"; do
        now=$(sum)
        if [ -n "$now" ] && [ "$now" != "$known" ]; then # gone for a moment is no change
            known=$now
            kill -s "$signal" "$child" || exit
        fi
    done
}

known=$(sum) # before the command reads it
"$@" &
child=$!
trap 'kill -s TERM "$child" 2>/dev/null' TERM INT
watch_file &
watcher=$!

wait "$child"
status=$?
while kill -0 "$child" 2>/dev/null; do # it was a signal to us that ended the waiting
    wait "$child"
    status=$?
done
kill -s KILL "$watcher" 2>/dev/null # it may not have put off our trap yet
exit "$status"
