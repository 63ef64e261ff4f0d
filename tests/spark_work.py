"""Work for engines, which Spark's workers import."""

import os
import pickle
from pathlib import Path

import numpy as np

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


def cell_text(cell):
    """Return a cell as text."""
    return f"{cell.partition}/{cell.block}: {pickle.loads(cell.rows)}"


class Dying:
    """Work whose process dies before its first return, once for each part."""

    def __init__(self, work, folder):
        self.work, self.folder = work, str(folder)

    def __call__(self, *arguments):
        result = self.work(*arguments)
        mark = Path(self.folder, str(hash(repr(arguments)) % 1000))
        name = getattr(arguments[0], "partition", None)
        name = arguments[0].column("number")[0].as_py() if name is None else name
        mark = Path(self.folder, f"{name}")
        if not mark.exists():
            mark.touch()
            os._exit(1)
        return result


class Refusing:
    """Work that refuses a part which has a number."""

    def __init__(self, work, number, error=ValueError):
        self.work, self.number, self.error = work, number, error

    def __call__(self, table):
        if self.number in table.column("number").to_pylist():
            raise self.error(f"the number {self.number} is not welcome")
        return self.work(table)


class Large:
    """Work with so much in its luggage that it is not sent with each task."""

    def __init__(self, work):
        self.work, self.luggage = work, np.random.default_rng(0).random(1 << 18)

    def __call__(self, *arguments):
        return f"{self.work(*arguments)} {self.luggage.sum():.6f}"
