"""What an engine must do: hold rows in parts, run work where they are, and join what comes of it.

There are two kinds of rows: those of the user, in tables, and those that are ready to train on, in
cells. What an engine returns depends on the parts alone: not on which worker did the work, nor on
how often it had to be done. So all work must be a function of its arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

FAN_IN = 8  # results that are joined at a time


class Cell(NamedTuple):
    """Rows that are ready to train on.

    Attributes
    ----------
    partition : int
        Who trains on them.
    block : int
        In which round of each epoch; `VALIDATION` if they are scored instead.
    rows : bytes
        See `packing`.
    """

    partition: int
    block: int
    rows: bytes


VALIDATION = -1

OfCells = Callable[[Iterable[Cell]], T]

Cut = Callable[[Any], Iterable[tuple[int, bytes]]]
Assemble = Callable[[int, Sequence[bytes]], Iterable[Cell]]


class Cells(Protocol):
    """Rows that are ready to train on, where they stay.

    Attributes
    ----------
    n_partitions : int
    """

    n_partitions: int

    def reduce(self, each: OfCells[T], join: Callable[[Sequence[T]], T], blocks: range) -> T | None:
        """Return the joined results of the partitions, see `in_tree`; None if there are none.

        Work is given the cells of a partition that are of some blocks, in their order, once. Blocks
        may have none. Results are in the order of the partitions that have such cells. All of these
        can be pickled by the engine.
        """

    def release(self) -> None:
        """Forget the rows; nothing is asked for afterwards."""


class Tables(Protocol):
    """The user's rows, in parts; work is given each part as a `pyarrow.Table`."""

    def reduce(self, each: Callable[[Any], T], join: Callable[[Sequence[T]], T]) -> T | None:
        """Return the joined results of the parts that have rows, in their order; None if none has.

        All of these can be pickled by the engine.
        """

    def divide(self, cut: Cut, assemble: Assemble, n_partitions: int) -> Cells:
        """Return the rows, each sent to the partition that trains on it.

        Parameters
        ----------
        cut : callable
            Given a part, yields the number of a partition and some of the part's rows.
        assemble : callable
            Given the number of a partition and all that was sent to it, in the order of the parts,
            yields its cells.
        n_partitions : int
        """


def in_tree(parts: list[T], join: Callable[[Sequence[T]], T]) -> T:
    """Join some at a time, then what comes of it, and so on: at least one."""
    while len(parts) > 1:
        parts = [join(parts[begin : begin + FAN_IN]) for begin in range(0, len(parts), FAN_IN)]
    return parts[0]


# --- in this process, for tests and simulations ---------------------------------------------------


class LocalCells:
    """Cells in this process.

    Parameters
    ----------
    cells : iterable of Cell
    n_partitions : int
    """

    def __init__(self, cells: Iterable[Cell], n_partitions: int) -> None:
        self.n_partitions = n_partitions
        self._cells = sorted(cells, key=lambda cell: cell[:2])

    def reduce(self, each: OfCells[T], join: Callable[[Sequence[T]], T], blocks: range) -> T | None:
        """Return the joined results of the partitions; None if there are none."""
        taken = [cell for cell in self._cells if cell.block in blocks]
        results = [each(own) for _, own in groupby(taken, lambda cell: cell.partition)]
        return in_tree(results, join) if results else None

    def release(self) -> None:
        """Forget the rows."""
        self._cells = []


class LocalTables:
    """Tables in this process.

    Parameters
    ----------
    parts : sequence of pyarrow.Table
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = [part for part in parts if part.num_rows]

    def reduce(self, each: Callable[[Any], T], join: Callable[[Sequence[T]], T]) -> T | None:
        """Return the joined results of the parts that have rows, in their order."""
        results = [each(part) for part in self._parts]
        return in_tree(results, join) if results else None

    def divide(self, cut: Cut, assemble: Assemble, n_partitions: int) -> LocalCells:
        """Return the rows, each sent to the partition that trains on it."""
        sent: dict[int, list[bytes]] = {}
        for part in self._parts:
            for partition, rows in cut(part):
                sent.setdefault(partition, []).append(rows)
        cells = [
            cell for partition in sorted(sent) for cell in assemble(partition, sent[partition])
        ]
        return LocalCells(cells, n_partitions)
