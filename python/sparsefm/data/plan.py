"""Plans: the rows of each batch, transposed once for all trainings that share the plan."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.interrupts import WorkSplitter

Array = npt.NDArray[Any]
BatchNumbers = npt.NDArray[np.int64]

# Bytes of transposed batches in memory at a time. A constant, not a property of the computer: it
# decides where segments end, and with exact updates the last bits of a result depend on that.
PLAN_BUDGET = 4 << 30


class Plan:
    """The batches of a dataset; any number of trainings may share it.

    Rows and batches of a plan never change. What changes is how many of its batches are transposed
    at a time: all of them if they fit into `PLAN_BUDGET`.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
        Rows of each batch; the last one may be smaller.
    random : numpy.random.Generator or None
        Shuffles the rows. None: their order stays.
    threads : int

    Attributes
    ----------
    rows : ndarray of int64
        Rows of the dataset in training order; batches are consecutive pieces.
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
        """Return all batches in the order of an epoch, shuffled unless `random` is None."""
        order = np.arange(self.n_batches, dtype=np.int64)
        return order if random is None else random.permutation(order)

    def segments(self, order: BatchNumbers) -> Iterator[BatchNumbers]:
        """Transpose the batches of an epoch and yield segments that fit into memory.

        If all batches fit there is one segment, and its transposes are kept for all epochs.
        Otherwise there are several, and the transposes of each are freed after use. Where a segment
        ends depends only on the batches, not on how many a call transposes.
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
    """Makes each plan once: trainings on the same rows with the same batch size share it.

    Parameters
    ----------
    new_random : callable
        Returns the generator that shuffles the rows of a plan, each time in the same state; or
        None.
    threads : int
    """

    def __init__(self, new_random: Callable[[], np.random.Generator | None], threads: int) -> None:
        self._new_random = new_random
        self._threads = threads
        self._plans: dict[tuple[int, int, int], tuple[Dataset, Plan]] = {}

    def plan(self, dataset: Dataset, batch_size: int) -> Plan:
        """Return the plan of a dataset's rows in batches of the given size."""
        size = min(batch_size, len(dataset.rows))
        key = (id(dataset.X), id(dataset.rows), size)
        if key not in self._plans:  # the dataset is kept: the ids of its parts stay taken
            plan = Plan(dataset, batch_size, self._new_random(), self._threads)
            self._plans[key] = (dataset, plan)
        return self._plans[key][1]

    def keep_only(self, dataset: Dataset) -> None:
        """Remove the plans of all other datasets and free their memory."""
        self._plans = {
            key: kept
            for key, kept in self._plans.items()
            if kept[0].X is dataset.X and kept[0].rows is dataset.rows
        }
