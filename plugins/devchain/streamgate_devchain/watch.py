"""Runs a program that must not outlive whoever started it: `python watch.py PROGRAM ARGUMENT…`.

The starter holds the other end of our standard input. When that closes, because it was closed or because its holder
was killed, the program is asked to end, and killed if it does not. Exits when the program has.

A program of its own, with nothing but the standard library, so that it starts in 20 ms and stays small. The program
gets a session of its own: Ctrl-C in a terminal reaches our starter, which closes the pipe when it has drained.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

PATIENCE_S = 5.0


def main(command: list[str]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which the program would inherit
    program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_leave_with, args=(program,), daemon=True).start()
    while os.read(0, 4096):
        pass
    program.terminate()
    try:
        program.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _leave_with(program: subprocess.Popen[bytes]) -> None:
    os._exit(program.wait() & 0xFF)


if __name__ == "__main__":
    main(sys.argv[1:])
