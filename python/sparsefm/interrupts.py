"""Splits the work of the core into calls, so that Ctrl-C is handled between two calls."""

import sys
import time
from collections.abc import Callable, Iterator

SECONDS_PER_CALL = 0.1


class WorkSplitter:
    """Splits work into calls of about a tenth of a second; the size of a call adapts."""

    def __init__(self) -> None:
        self._size = 1

    def calls(
        self, tasks: int, most: Callable[[int], int] = lambda begin: sys.maxsize
    ) -> Iterator[tuple[int, int]]:
        """Yield (begin, end) over [0, tasks); do the work before asking for the next.

        Parameters
        ----------
        tasks : int
        most : callable
            Returns, given `begin`, how many tasks the call may have; one counts as the least.
        """
        begin = 0
        while begin < tasks:
            end = min(begin + max(min(self._size, most(begin)), 1), tasks)
            started = time.perf_counter()
            yield begin, end
            seconds = max(time.perf_counter() - started, 1e-6)
            fitting = int((end - begin) * SECONDS_PER_CALL / seconds)
            self._size = max(1, min(fitting, 4 * self._size))
            begin = end
