"""What training in rounds asks of whatever holds the rows of all partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from typing import Any

from sparsefm.data.dataset import Dataset
from sparsefm.distributed.changes import Change, join
from sparsefm.distributed.packing import pack, unpack
from sparsefm.distributed.parts import VALIDATION, Cell, Cells, LocalCells
from sparsefm.distributed.rounds import Round
from sparsefm.distributed.summary import Group, Summary

BLOCKS_AT_ONCE = 16  # that are summarised: what is known of each is sent
SCORED = range(VALIDATION, VALIDATION + 1)


class Engine:
    """Runs work where the rows are, and joins what comes of it, in the order of the partitions.

    What it returns depends on the partitions alone: not on which worker did the work, nor on how
    often it had to be done.

    Parameters
    ----------
    cells : Cells
    n_blocks : int
    """

    def __init__(self, cells: Cells, n_blocks: int) -> None:
        self.n_partitions = cells.n_partitions
        self._cells, self._n_blocks = cells, n_blocks

    def summarise(self) -> Summary:
        """Return the summary of all training rows."""
        groups = []
        for begin in range(0, self._n_blocks, BLOCKS_AT_ONCE):
            blocks = range(begin, min(begin + BLOCKS_AT_ONCE, self._n_blocks))
            group = self._cells.reduce(partial(_group, blocks, self._n_blocks), _groups, blocks)
            groups.append((blocks, group))
        return Summary.of_groups(groups)

    def train(self, work: Round, block: int) -> Change:
        """Return the joined change of the partitions that have rows in a block."""
        change = self._cells.reduce(partial(_change, work), join, range(block, block + 1))
        assert change is not None
        return change

    def evaluate(self, measure: Callable[[Dataset], Any]) -> list[Any]:
        """Return what a function says of the validation rows of each partition that has some."""
        return self._cells.reduce(partial(_measured, measure), _lists, SCORED) or []


def in_process(
    cells: Sequence[Sequence[Dataset | None]], validation: Sequence[Dataset] = ()
) -> Engine:
    """Return an engine whose rows are in this process, for tests and simulations.

    Parameters
    ----------
    cells : sequence of sequence of Dataset or None
        For each partition, its rows by block.
    validation : sequence of Dataset
    """
    found = [
        Cell(partition, block, pack(rows))
        for partition, blocks in enumerate(cells)
        for block, rows in enumerate(blocks)
        if rows is not None
    ]
    found += [Cell(number, VALIDATION, pack(rows)) for number, rows in enumerate(validation)]
    return Engine(LocalCells(found, len(cells)), len(cells[0]))


def _group(blocks: range, n_blocks: int, cells: Iterable[Cell]) -> Group:
    return Group.of(((cell.block, unpack(cell.rows)) for cell in cells), blocks, n_blocks)


def _groups(parts: Sequence[Group]) -> Group:
    return reduce(Group.joined, parts)


def _change(work: Round, cells: Iterable[Cell]) -> Change:
    (cell,) = cells
    return work.run(unpack(cell.rows), cell.partition)


def _measured(measure: Callable[[Dataset], Any], cells: Iterable[Cell]) -> list[Any]:
    return [measure(unpack(cell.rows)) for cell in cells]


def _lists(parts: Sequence[list[Any]]) -> list[Any]:
    return [one for part in parts for one in part]
