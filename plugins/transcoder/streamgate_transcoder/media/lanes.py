"""Threads of a child that encode side by side what one of them decodes: so that the last chunk of a film, or the only
one, takes every core that nothing else is left for.

They are started before the sandbox closes (a thread counts as a process), and are locked in with the rest.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

_AHEAD = 4
"""Pictures that wait for an encoder at most: each takes memory, and more of them make nothing faster."""

_OWN_SHARE = 0.25
"""Decoding and scaling, beside all that is encoded."""

Work = Callable[[], None]


class Lane:
    """Does what it is given in the order it came, on a thread of its own."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Work] = queue.Queue(_AHEAD)
        self._fault: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def give(self, work: Work) -> None:
        """Waits for room. Raises what went wrong in what was given before."""
        self._look()
        self._waiting.put(work)

    def finish(self) -> None:
        """Waits until everything is done. Raises what went wrong in it."""
        self._waiting.join()
        self._look()

    def _look(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            try:
                if self._fault is None:
                    work()
            except BaseException as fault:  # told to whoever gives the next piece
                self._fault = fault
            finally:
                self._waiting.task_done()


class Here:
    """A lane without a thread: work is done while it is given."""

    def give(self, work: Work) -> None:
        work()

    def finish(self) -> None: ...


def shared_out(loads: Sequence[int], lanes: Sequence[Lane]) -> list[Lane | Here]:
    """A place for each load, the heaviest first to whichever has least: the lanes, and the thread that gives the work,
    which has something to do already."""
    places: list[Lane | Here] = [Here(), *lanes]
    given = [_OWN_SHARE * sum(loads), *(0.0 for _ in lanes)]
    found: dict[int, Lane | Here] = {}
    for n in sorted(range(len(loads)), key=lambda n: -loads[n]):
        least = min(range(len(places)), key=given.__getitem__)
        given[least] += loads[n]
        found[n] = places[least]
    return [found[n] for n in range(len(loads))]
