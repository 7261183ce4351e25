"""How long a report may take: what is still worth starting, and an end to what takes too long."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmfastervit.bench.cases import Case

# Seconds that a case is taken to need before one of its kind was seen.
EXPECTED = {True: 75.0, False: 4.0}  # compiled, not compiled


class TimeIsUp(BaseException):
    """The time of a report has ended; no `except Exception` of a compiler holds it up."""


class Budget:
    """Time that is left.

    Args:
        seconds: In all, from now on.
        clock: Tells the time in seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._end = clock() + seconds
        self._seen: dict[bool, float] = {}

    @property
    def left(self) -> float:
        """Seconds."""
        return self._end - self._clock()

    def expected(self, case: Case) -> float:
        """Seconds that a case will take: as the last of its kind did."""
        is_compiled = "compiled" in case.changes
        return self._seen.get(is_compiled, EXPECTED[is_compiled])

    @contextmanager
    def spent_on(self, case: Case) -> Iterator[None]:
        """Note how long a case takes."""
        start = self._clock()
        yield
        self._seen["compiled" in case.changes] = self._clock() - start


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeIsUp` inside once that much time has passed, whatever runs then.

    A kernel that runs is waited for. In the main thread alone.
    """

    def end(*_: object) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
