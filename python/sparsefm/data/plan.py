"""Plans: which rows make up each batch, transposed once for all trainings that go by them."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.interrupts import WorkSplitter

Array = npt.NDArray[Any]
BatchNumbers = npt.NDArray[np.int64]

# Bytes of transposed batches kept at a time. No number of this machine: segments end where they are
# full, and with exact updates the last bits of a result know where.
PLAN_BUDGET = 4 << 30


class Plan:
    """The batches of a data set, of which any number of trainings may make use.

    What a plan says never changes. How many of its batches are transposed at a time does: all, if
    they fit into `PLAN_BUDGET`.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
        Rows of a batch; the last one may be smaller.
    random : numpy.random.Generator or None
        Shuffles the rows; None leaves their order.
    threads : int

    Attributes
    ----------
    rows : ndarray of int64
        Rows of the data set in training order; batches are consecutive pieces.
    batch_size : int
    n_batches : int
    total_weight : float
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, random: np.random.Generator | None, threads: int
    ) -> None:
        self.rows = dataset.rows if random is None else random.permutation(dataset.rows)
        self.batch_size = min(batch_size, len(self.rows))
        self.total_weight = dataset.total_weight
        self.core = _core.Plan(
            dataset.X, self.rows, dataset.weights_of(self.rows), self.batch_size, dataset.dtype
        )
        self.n_batches: int = self.core.n_batches
        self._threads = threads

    def order_of(self, random: np.random.Generator | None) -> BatchNumbers:
        """Return all batches in the order of an epoch, shuffled if there is a `random`."""
        order = np.arange(self.n_batches, dtype=np.int64)
        return order if random is None else random.permutation(order)

    def segments(self, order: BatchNumbers) -> Iterator[BatchNumbers]:
        """Transpose the batches of an epoch and yield those that fit into memory together.

        In one segment, and for all epochs, if all fit. Otherwise in several, each forgotten after
        use; where they end depends on the batches alone, not on how many a call happens to make.
        """
        work = WorkSplitter()
        begin = 0
        while begin < len(order):
            for start, end in work.calls(len(order) - begin):
                self.core.transpose(order[begin + start : begin + end], self._threads)
                size = self.core.count_within(order[begin:], PLAN_BUDGET)
                if size < end:
                    break
            segment = order[begin : begin + size]
            yield segment
            begin += size
            if size < len(order):
                self.core.forget(segment)


class Planner:
    """Makes each plan once: trainings on the same rows, with the same batch size, share it.

    Parameters
    ----------
    new_random : callable
        Returns what shuffles the rows of a plan, each time at the same start; or None.
    threads : int
    """

    def __init__(self, new_random: Callable[[], np.random.Generator | None], threads: int) -> None:
        self._new_random = new_random
        self._threads = threads
        self._plans: dict[tuple[int, int], tuple[Dataset, Plan]] = {}

    def plan(self, dataset: Dataset, batch_size: int) -> Plan:
        """Return the plan of these rows in batches of that size."""
        key = (id(dataset.rows), min(batch_size, len(dataset.rows)))
        if key not in self._plans:  # the data set is kept, so that no other gets its rows' id
            plan = Plan(dataset, batch_size, self._new_random(), self._threads)
            self._plans[key] = (dataset, plan)
        return self._plans[key][1]

    def keep_only(self, dataset: Dataset) -> None:
        """Forget the plans of all other data sets, and free their memory."""
        self._plans = {
            key: kept for key, kept in self._plans.items() if kept[0].rows is dataset.rows
        }
