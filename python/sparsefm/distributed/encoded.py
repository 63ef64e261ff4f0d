"""From tables to rows to train on, where the tables are."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.canonical import mixed, row_keys
from sparsefm.data.dataset import Dataset
from sparsefm.distributed.columns import Columns
from sparsefm.distributed.dividing import divide, in_order
from sparsefm.distributed.packing import pack, together, unpack
from sparsefm.distributed.parts import VALIDATION, Cell


@dataclass(frozen=True, eq=False)
class Encoder:
    """Encodes tables as a fitted encoding says.

    Attributes
    ----------
    estimator : FMRegressor or FMClassifier
        It has the encoding of columns and targets.
    columns : Columns
    class_weights : ndarray of shape (n_classes,)
        By which the weights of rows are multiplied; of numbers (1,).
    unit : float
        By which the weights of rows are divided.
    fraction : float or None
        How many of the rows are held out for validation, about.
    seed : int
        Other rows are held out with another one.
    first : TableEncoder or None
        The one that held rows out while settings were chosen, if that was another: it holds out
        the same rows ever after.
    """

    estimator: Any
    columns: Columns
    class_weights: npt.NDArray[np.float64]
    unit: float
    fraction: float | None = None
    seed: int = 0
    first: Any = None

    def training_rows(self, table: Any) -> Any:
        """Return the rows of a table that are trained on, and those that a fraction holds out."""
        taken, weights = ~self.columns.is_validation(table), self.columns.weights(table)
        if weights is not None:
            taken &= weights > 0
        return table if taken.all() else _filtered(table, taken)

    def dataset(self, table: Any, *, of_classes: bool = True) -> Dataset:
        """Return the rows of a table; those of weight zero do not take part.

        Parameters
        ----------
        table : pyarrow.Table
        of_classes : bool
            Whether weights are multiplied by those of classes. If not, they are not rounded either.
        """
        owner = self.estimator
        X = self.columns.X(table)
        y = owner._paired(X, self.columns.y(table))
        weights = self.columns.weights(table)
        codes = owner._codes(y, weights)
        if weights is not None:
            weights = weights / self.unit
        if of_classes and (self.class_weights != 1).any():
            weights = self.class_weights[codes] * (1.0 if weights is None else weights)
        if of_classes and weights is not None:
            weights = weights.astype(owner._real)
        matrix = owner.encoder_._encode(X, owner)
        return owner._dataset(matrix, codes, codes, weights)  # type: ignore[no-any-return]

    def is_validation(self, table: Any, dataset: Dataset) -> npt.NDArray[np.bool_]:
        """Return which rows of a table, and of what `dataset` makes of it, are for validation.

        Rows are held out by their content: equal ones together, wherever they are.
        """
        if self.fraction is None:
            return self.columns.is_validation(table)
        salt = mixed(np.array([self.seed % 2**64], np.uint64))
        X = dataset.X
        if self.first is not None:
            X = self.first._encode(self.columns.X(table), self.first)
        numbers = mixed(row_keys(X, dataset.y) ^ salt)
        return np.asarray(numbers < np.uint64(self.fraction * 2.0**64))

    def parts(self, table: Any, *, of_classes: bool = True) -> tuple[Dataset, Dataset]:
        """Return the rows of a table that are trained on, and those for validation."""
        dataset = self.dataset(table, of_classes=of_classes)
        scored = self.is_validation(table, dataset)[dataset.rows]
        training, validation = dataset.rows[~scored], dataset.rows[scored]
        return replace(dataset, rows=training), replace(dataset, rows=validation)


@dataclass(frozen=True, eq=False)
class Cut:
    """Divides the rows of a table among partitions and blocks.

    Attributes
    ----------
    encoder : Encoder
    n_partitions, n_blocks : int
    """

    encoder: Encoder
    n_partitions: int
    n_blocks: int

    def __call__(self, table: Any) -> Iterator[tuple[int, bytes]]:
        """Yield the number of a partition, and some rows for its blocks."""
        training, validation = self.encoder.parts(table)
        for dataset, blocks in ((training, range(self.n_blocks)), (validation, [VALIDATION])):
            if len(dataset.rows) == 0:
                continue
            for partition, cells in enumerate(divide(dataset, self.n_partitions, len(blocks))):
                pairs = zip(blocks, cells, strict=True)
                rows = [(block, pack(own)) for block, own in pairs if own is not None]
                if rows:
                    yield partition, pickle.dumps(rows, protocol=5)


def assemble(partition: int, sent: Sequence[bytes]) -> Iterator[Cell]:
    """Yield the cells of a partition, whose rows are in an order that follows from content."""
    by_block: dict[int, list[Dataset]] = {}
    for rows in sent:
        for block, packed in pickle.loads(rows):
            by_block.setdefault(block, []).append(unpack(packed))
    for block in sorted(by_block):
        dataset = together(by_block.pop(block))
        order = in_order(dataset, row_keys(dataset.X, dataset.targets[0]))
        yield Cell(partition, block, pack(dataset.take(order)))


def _filtered(table: Any, taken: npt.NDArray[np.bool_]) -> Any:
    """Return some rows of a table."""
    import pyarrow as pa

    return table.filter(pa.array(taken))
