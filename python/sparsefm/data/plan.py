"""Plans: the rows of each batch, transposed once for all trainings that share the plan."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.dataset import Dataset
from sparsefm.data.mapped import ENTRIES_AT_ONCE, is_mapped, read_ahead, release, trim_heap
from sparsefm.data.shuffled import in_order
from sparsefm.interrupts import WorkSplitter

Array = npt.NDArray[Any]
BatchNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Room:
    """How much memory a plan may take, and where its files are.

    Attributes
    ----------
    transposes : int
        Bytes of transposed batches in memory at a time. No property of the computer: it decides
        where segments end, and with exact updates the last bits of a result depend on that.
    bucket : int
        Entries of rows in memory at a time while those of a file are shuffled.
    folder : str or None
        Of temporary files. None: the system's.
    """

    transposes: int = 4 << 30
    bucket: int = ENTRIES_AT_ONCE
    folder: str | None = None


class Plan:
    """The batches of a dataset; any number of trainings may share it.

    Rows and batches of a plan never change. What changes is how many of its batches are transposed
    at a time: all of them if they fit into the budget. If the rows are mapped from a file, so that
    those of a batch are far apart there, they are copied to another file first.

    Parameters
    ----------
    dataset : Dataset
    batch_size : int
        Rows of each batch; the last one may be smaller.
    random : numpy.random.Generator or None
        Shuffles the rows. None: their order stays.
    threads : int
    room : Room

    Attributes
    ----------
    rows : ndarray of int64
        Rows of the dataset in training order; batches are consecutive pieces.
    batch_size : int
    n_batches : int
    total_weight : float
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        random: np.random.Generator | None,
        threads: int,
        room: "Room | None" = None,
    ) -> None:
        self.rows = dataset.rows if random is None else random.permutation(dataset.rows)
        self.batch_size = min(batch_size, len(self.rows))
        self.total_weight = dataset.total_weight
        self._threads, self._room = threads, room or Room()
        self._X, rows = dataset.X, self.rows
        if random is not None and is_mapped(dataset.X):
            self._X = in_order(dataset.X, rows, self._room.folder, self._room.bucket)
            trim_heap()  # of what reading and shuffling took
            all_take_part = len(rows) == dataset.X.n_rows  # each once, in order
            rows = dataset.rows if all_take_part else np.arange(len(rows))
        self._moved = self._X is not dataset.X
        self._is_transposed = False  # all of it, to stay so
        self.core = _core.Plan(
            self._X, rows, dataset.weights_of(self.rows), self.batch_size, dataset.dtype
        )
        self.n_batches: int = self.core.n_batches

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
        if self._is_transposed:
            yield order
            release(self._X)
            return
        work = WorkSplitter()
        begin = 0
        while begin < len(order):
            left = order[begin:]
            for start, end in work.calls(len(left), partial(self._most_to_transpose, left)):
                self.core.transpose(left[start:end], self._threads)
                size = self.core.count_within(left, self._room.transposes)
                if size < end:
                    break
            segment = order[begin : begin + size]
            self._is_transposed = size == self.n_batches
            self._expect(order[begin + size : begin + 2 * size])
            yield segment
            begin += size
            if size < len(order):
                self.core.forget(segment)
                if is_mapped(self._X):
                    trim_heap()
            release(self._X)

    def _most_to_transpose(self, batches: BatchNumbers, done: int) -> int:
        """Return how many batches are likely to fit beside the first ones."""
        if done == 0:
            return 1
        mean = max(self.core.bytes_of(batches[:done]), 1) / done
        return int(self._room.transposes / mean) - done + 1

    def _expect(self, batches: BatchNumbers) -> None:
        """Have the rows of batches read from their file while others are trained on."""
        for batch in batches.tolist() if self._moved else ():
            begin = batch * self.batch_size
            read_ahead(self._X, begin, min(begin + self.batch_size, len(self.rows)))


class Planner:
    """Makes each plan once: trainings on the same rows with the same batch size share it.

    Parameters
    ----------
    new_random : callable
        Returns the generator that shuffles the rows of a plan, each time in the same state; or
        None.
    threads : int
    room : Room, optional
    """

    def __init__(
        self,
        new_random: Callable[[], np.random.Generator | None],
        threads: int,
        room: Room | None = None,
    ) -> None:
        self._new_random = new_random
        self._threads, self._room = threads, room
        self._plans: dict[tuple[int, int, int], tuple[Dataset, Plan]] = {}

    def plan(self, dataset: Dataset, batch_size: int) -> Plan:
        """Return the plan of a dataset's rows in batches of the given size."""
        size = min(batch_size, len(dataset.rows))
        key = (id(dataset.X), id(dataset.rows), size)
        if key not in self._plans:  # the dataset is kept: the ids of its parts stay taken
            plan = Plan(dataset, batch_size, self._new_random(), self._threads, self._room)
            self._plans[key] = (dataset, plan)
        return self._plans[key][1]

    def keep_only(self, dataset: Dataset) -> None:
        """Remove the plans of all other datasets and free their memory."""
        self._plans = {
            key: kept
            for key, kept in self._plans.items()
            if kept[0].X is dataset.X and kept[0].rows is dataset.rows
        }
