"""Which partition a row belongs to, and which of its blocks: that of a round in each epoch.

Both follow from the row's content, and from how many rows like it there were before.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.canonical import mixed, row_keys
from sparsefm.data.dataset import Dataset


def divide(dataset: Dataset, partitions: int, blocks: int) -> list[list[Dataset | None]]:
    """Return the rows of each partition, by block; None where there are none.

    The rows of each are in an order that depends only on their content.
    """
    rows = dataset.rows
    taken = dataset.take(np.arange(len(rows)))
    keys = row_keys(taken.X, taken.targets[0])
    order = in_order(taken, keys)
    first = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
    lengths = np.diff(first, append=len(order))
    again = np.arange(len(order)) - np.repeat(first, lengths)  # of rows that are equal
    numbers = mixed(keys[order] + np.uint64(0x9E3779B97F4A7C15) * again.astype(np.uint64))
    cell = (numbers % np.uint64(partitions * blocks)).astype(np.int64)
    in_cells = np.argsort(cell, kind="stable")
    ends = np.searchsorted(cell[in_cells], np.arange(partitions * blocks + 1))
    cells: list[Dataset | None] = [
        taken.take(order[in_cells[begin:end]]) if end > begin else None
        for begin, end in pairwise(ends)
    ]
    return [cells[p * blocks : (p + 1) * blocks] for p in range(partitions)]


def in_order(dataset: Dataset, keys: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
    """Return the rows in an order that depends only on their content, of which they have keys."""
    weights = () if dataset.weights is None else (dataset.weights,)
    return np.lexsort((*weights, *dataset.targets[1:], keys))
