"""What holds the rows of all partitions: an engine; and one that is this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Protocol, TypeVar

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import Change, join
from sparsefm.distributed.rounds import Round
from sparsefm.distributed.summary import Summary

T = TypeVar("T")

FAN_IN = 8  # changes that are joined at a time


class Engine(Protocol):
    """Runs work where the rows are, and joins what comes of it, in the order of the partitions.

    What it returns depends on the partitions alone: not on which worker did the work, nor on how
    often it had to be done.

    Attributes
    ----------
    n_partitions : int
    """

    n_partitions: int

    def summarise(self) -> Summary:
        """Return the summary of all training rows."""

    def train(self, work: Round, block: int) -> Change:
        """Return the joined change of the partitions that have rows in a block."""

    def evaluate(self, measure: Callable[[Dataset], Any]) -> list[Any]:
        """Return what a function says of the validation rows of each partition that has some."""


class InProcess:
    """The partitions are in this process, and work one after the other.

    It is for tests and simulations.

    Parameters
    ----------
    cells : list of list of Dataset or None
        For each partition, its rows by block.
    validation : sequence of Dataset
    """

    def __init__(
        self, cells: list[list[Dataset | None]], validation: Sequence[Dataset] = ()
    ) -> None:
        self.n_partitions = len(cells)
        self._cells, self._validation = cells, validation

    def summarise(self) -> Summary:
        """Return the summary of all training rows."""
        present = [blocks for blocks in self._cells if any(block is not None for block in blocks)]
        return reduce(Summary.joined, map(Summary.of, present))

    def train(self, work: Round, block: int) -> Change:
        """Return the joined change of the partitions that have rows in a block."""
        changes = []
        for partition, blocks in enumerate(self._cells):
            dataset = blocks[block]
            if dataset is not None:
                changes.append(work.run(dataset, partition))
        return in_tree(changes, join)

    def evaluate(self, measure: Callable[[Dataset], Any]) -> list[Any]:
        """Return what a function says of the validation rows of each partition that has some."""
        return [measure(dataset) for dataset in self._validation]


def in_tree(parts: list[T], join: Callable[[Sequence[T]], T]) -> T:
    """Join some at a time, then what comes of it, and so on: at least one."""
    while len(parts) > 1:
        parts = [join(parts[begin : begin + FAN_IN]) for begin in range(0, len(parts), FAN_IN)]
    return parts[0]
