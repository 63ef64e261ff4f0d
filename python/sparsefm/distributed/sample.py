"""A sample of the rows of all parts, on one node: settings are chosen with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparsefm.data.canonical import mixed, row_keys
from sparsefm.distributed.encoded import Encoder
from sparsefm.distributed.parts import Tables
from sparsefm.distributed.summary import NO_ROWS

SAMPLE_ROWS = 100_000  # on which settings are chosen
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


class Sample(NamedTuple):
    """Rows with the smallest keys.

    Attributes
    ----------
    table : pyarrow.Table
    keys : ndarray of uint64
        Of its rows, ascending.
    """

    table: Any
    keys: npt.NDArray[np.uint64]

    def smallest(self, size: int) -> Sample:
        """Return its rows with the smallest keys, at most so many."""
        order = np.argsort(self.keys, kind="stable")[:size]
        return Sample(self.table.take(order), self.keys[order])


@dataclass(frozen=True, eq=False)
class Drawing:
    """Draws a sample.

    Attributes
    ----------
    encoder : Encoder
    size : int
        The number of rows, or less if there are not so many.
    """

    encoder: Encoder
    size: int

    def of(self, table: Any) -> Sample:
        """Return that of a part; keys follow from the content of rows, not from their order."""
        table = self.encoder.training_rows(table)
        if table.num_rows == 0:
            return Sample(table, np.zeros(0, np.uint64))
        dataset = self.encoder.dataset(table)
        keys = row_keys(dataset.X, dataset.y)
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.diff(keys[order], prepend=~keys[order[:1]]))
        again = np.arange(len(keys)) - np.repeat(starts, np.diff(np.append(starts, len(keys))))
        with np.errstate(over="ignore"):
            keys[order] += GOLDEN * (again.astype(np.uint64) + np.uint64(1))
        taken = np.flatnonzero(~self.encoder.is_validation(table, dataset))
        return Sample(table.take(taken), mixed(keys)[taken]).smallest(self.size)

    def joined(self, parts: Sequence[Sample]) -> Sample:
        """Return that of all rows of some parts."""
        import pyarrow as pa

        table = pa.concat_tables([part.table for part in parts], promote_options="permissive")
        return Sample(table, np.concatenate([part.keys for part in parts])).smallest(self.size)


def draw(tables: Tables, encoder: Encoder, size: int) -> Any:
    """Return a sample of the rows of tables that are trained on, a pyarrow.Table on this node."""
    drawing = Drawing(encoder, size)
    drawn = tables.reduce(drawing.of, drawing.joined)
    if drawn is None or drawn.table.num_rows == 0:
        raise ValueError(NO_ROWS)
    return drawn.table
