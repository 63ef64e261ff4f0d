"""Work for engines, which Spark's workers import."""

import os
import pickle

import numpy as np
from pyspark import TaskContext

from sparsefm.distributed.parts import VALIDATION, Cell


def text(table):
    """Return the numbers of a part as text."""
    return " ".join(map(str, table.column("number").to_pylist()))


def brackets(texts):
    """Return texts in brackets, so that the tree in which they were joined can be seen."""
    return f"[{', '.join(texts)}]"


def cut(table):
    """Send each number to the partition of its last digit, and 70 to 79 to be scored."""
    numbers = table.column("number").to_numpy()
    for digit in np.flatnonzero(np.bincount(numbers % 10)).tolist():
        yield digit, pickle.dumps(numbers[numbers % 10 == digit])


def assemble(partition, sent):
    """Yield cells of two blocks, and one of rows that are scored."""
    numbers = np.concatenate([pickle.loads(one) for one in sent])
    scored = (numbers >= 70) & (numbers < 80)
    for block, taken in ((VALIDATION, scored), (0, ~scored & (numbers < 50)), (1, numbers >= 80)):
        if taken.any():
            yield Cell(partition, block, pickle.dumps(numbers[taken].tolist()))


def cells_text(cells):
    """Return cells as text."""
    return "; ".join(f"{cell.partition}/{cell.block}: {pickle.loads(cell.rows)}" for cell in cells)


class Dying:
    """Work whose process dies instead of returning, once for each of some partitions."""

    def __init__(self, work, partitions=range(1000)):
        self.work, self.partitions = work, tuple(partitions)

    def __call__(self, *arguments):
        result = self.work(*arguments)
        task = TaskContext.get()
        if task.attemptNumber() == 0 and task.partitionId() in self.partitions:
            os._exit(1)
        return result


class DyingTables:
    """Tables, and cells, of which some tasks die."""

    def __init__(self, tables):
        self.tables = tables

    def reduce(self, each, join):
        return self.tables.reduce(Dying(each, [1]), join)

    def divide(self, cut, assemble, n_partitions):
        cut, assemble = Dying(cut, [0]), Dying(assemble, [1])
        return DyingCells(self.tables.divide(cut, assemble, n_partitions))


class DyingCells:
    """Cells of which some tasks die."""

    def __init__(self, cells):
        self.cells, self.n_partitions, self.release = cells, cells.n_partitions, cells.release

    def reduce(self, each, join, blocks):
        return self.cells.reduce(Dying(each, [0] if 0 in blocks else []), join, blocks)


class Refusing:
    """Work that refuses a part which has a number."""

    def __init__(self, work, number, error=ValueError):
        self.work, self.number, self.error = work, number, error

    def __call__(self, table):
        if self.number in table.column("number").to_pylist():
            raise self.error(f"the number {self.number} is not welcome")
        return self.work(table)


class RefusingCells:
    """Work that refuses a partition, after a first cell."""

    def __init__(self, partition, error):
        self.partition, self.error = partition, error

    def __call__(self, partition, sent):
        yield Cell(partition, 0, b"")
        if partition == self.partition:
            raise self.error(f"no rows for {partition}")


class Large:
    """Work with so much in its luggage that it is not sent with each task."""

    def __init__(self, work):
        self.work, self.luggage = work, np.random.default_rng(0).random(1 << 18)

    def __call__(self, *arguments):
        return f"{self.work(*arguments)} {self.luggage.sum():.6f}"
