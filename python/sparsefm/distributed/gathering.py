"""All rows in one place: copies for the chains of a sampler, and validation rows for this node."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.data.canonical import canonical_order, row_keys
from sparsefm.data.dataset import Dataset
from sparsefm.data.validation import as_weights
from sparsefm.distributed.encoded import Encoder
from sparsefm.distributed.engine import Engine
from sparsefm.distributed.packing import pack, together, unpack
from sparsefm.distributed.parts import Cell, Tables
from sparsefm.distributed.summary import Summary

MOST_BYTES = 1 << 30  # of encoded rows in one place: a task takes some times as much memory

NOTHING_HELD_OUT = "validation_fraction holds out no row: there are too few"


def check_bytes(n_rows: float, sample: Dataset, what: str, instead: str) -> None:
    """Refuse to have so many rows in one place, of which there is a sample.

    Raises
    ------
    ValueError
        It begins with `what`, and ends with what to do instead.
    """
    needed = n_rows * len(pack(sample)) / len(sample.rows)
    if needed > MOST_BYTES:
        raise ValueError(
            f"{what}: they are {n_rows:,.0f} rows, encoded about {needed / 2**30:.2g} GiB, and "
            f"more than {MOST_BYTES / 2**30:g} GiB are refused; {instead}"
        )


# --- training rows --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Copy:
    """Sends the training rows of a table to every partition.

    Attributes
    ----------
    encoder : Encoder
    plain : TableEncoder or None
        An encoder to which different numbers are different, if the other is not.
    n_partitions : int
    """

    encoder: Encoder
    plain: Any
    n_partitions: int

    def __call__(self, table: Any) -> Iterator[tuple[int, bytes]]:
        """Yield the number of each partition, and the rows with their keys."""
        encoder = self.encoder
        dataset, _ = encoder.parts(table, of_classes=False)
        if len(dataset.rows) == 0:
            return
        full = dataset.X
        if self.plain is not None:
            full = self.plain._encode(encoder.columns.X(table), self.plain)
        keys = row_keys(full, dataset.y)[dataset.rows]
        rows = pickle.dumps((keys, pack(dataset)), protocol=5)
        for partition in range(self.n_partitions):
            yield partition, rows


@dataclass(frozen=True, eq=False)
class InOrder:
    """Brings all training rows into the order that they have on one machine.

    Attributes
    ----------
    encoder : Encoder
    """

    encoder: Encoder

    def __call__(self, partition: int, sent: Sequence[bytes]) -> Iterator[Cell]:
        """Yield the one cell of a partition, which has all rows."""
        keys, packed = zip(*map(pickle.loads, sent), strict=True)
        n_classes = self.encoder.estimator._target.n_classes
        rows = together(list(map(unpack, packed)))
        if self.encoder.fraction is not None:
            check_classes(self.encoder, [(rows.y == code).sum() for code in range(n_classes)])
        order, weights = canonical_order(np.concatenate(keys), rows.weights)
        dataset = self.encoder.estimator._weighted(rows.X, rows.y, rows.y, order, weights)
        yield Cell(partition, 0, pack(dataset))


# --- validation rows ------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Collect:
    """Collects validation rows.

    Attributes
    ----------
    encoder : Encoder
    """

    encoder: Encoder

    def of(self, table: Any) -> list[Any]:
        """Return those of a table, with the user's targets and weights, in a list if any."""
        encoder, columns = self.encoder, self.encoder.columns
        dataset = encoder.dataset(table, of_classes=False)
        rows = np.flatnonzero(encoder.is_validation(table, dataset))
        if len(rows) == 0:
            return []
        y = encoder.estimator._paired(columns.X(table), columns.y(table))[rows]
        weights = columns.weights(table)
        found = pack(replace(dataset, rows=rows))
        return [(found, y, None if weights is None else weights[rows])]

    def joined(self, parts: Sequence[list[Any]]) -> list[Any]:
        """Return those of all parts, in their order."""
        return [one for part in parts for one in part]


def validation_rows(tables: Tables, encoder: Encoder) -> Dataset:
    """Return the validation rows of tables, as `eval_set` on one machine."""
    collect = Collect(encoder)
    found = tables.reduce(collect.of, collect.joined)
    if not found:
        raise ValueError(NOTHING_HELD_OUT)
    packed, of_y, of_weights = zip(*found, strict=True)
    X, owner = together(list(map(unpack, packed))).X, encoder.estimator
    y = np.concatenate(of_y)
    weights = None if of_weights[0] is None else np.concatenate(of_weights)
    weights = as_weights(weights, len(y), owner._real, "the weights of validation rows")
    return owner._dataset(X, y, owner._codes(y), weights)  # type: ignore[no-any-return]


def check_held_out(encoder: Encoder, engine: Engine, summary: Summary) -> None:
    """Check that `validation_fraction` holds out rows, and leaves some of each class."""
    if not sum(engine.evaluate(_n_rows)):
        raise ValueError(NOTHING_HELD_OUT)
    of_classes = np.append(summary.targets, summary.weight - summary.targets)
    check_classes(encoder, summary.classes if summary.classes.size else of_classes)


def check_classes(encoder: Encoder, of_classes: npt.ArrayLike) -> None:
    """Check how much of each class there is to train on."""
    if encoder.estimator._loss.task != "regression" and not np.all(of_classes):
        raise ValueError(
            "validation_fraction holds out all rows of a class: name validation rows instead"
        )


def _n_rows(validation: Dataset) -> int:
    return len(validation.rows)
