"""How long a job rests after an attempt that failed."""

from __future__ import annotations

import random


def pause_ms(attempts: int, *, base_s: float, max_s: float, rng: random.Random) -> int:
    """`base_s` after the first attempt, doubled for each further one up to `max_s`, half of it by chance.

    The chance keeps jobs that failed together (a dependency was down) from coming back together.
    """
    whole_s = min(max_s, base_s * 2.0 ** min(attempts - 1, 30))
    return round(1000 * (whole_s / 2 + rng.random() * whole_s / 2))
