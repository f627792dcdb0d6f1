"""Bounds on time that hold on a busy machine, too."""

import time
from collections.abc import Callable


def least_seconds(work: Callable[[], object], enough: float) -> float:
    """Returns the least CPU time of at most three runs; runs no further once it is enough.

    The time is the whole process's: after hundreds of other tests a thread of theirs, or one full
    collection of what they have left, may fall into a run. It does not fall into all three. A
    first run of three times what is enough is no accident, and later ones may find caches warm.
    """
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        work()
        least = min(least, time.process_time() - started)
        if least < enough or least > 3 * enough:
            break
    return least
