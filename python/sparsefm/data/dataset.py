"""Datasets: the rows of X with their targets and weights, checked together."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy, take_rows
from sparsefm.data.mapped import ENTRIES_AT_ONCE, is_mapped, release
from sparsefm.data.validation import as_array, as_classes, as_labels, as_vector, as_weights

Array = npt.NDArray[Any]
RowNumbers = npt.NDArray[np.int64]

ROWS_AT_ONCE = 1 << 14  # bounds temporary copies


@dataclass(frozen=True, eq=False)
class Dataset:
    """Checked rows with targets and weights; immutable.

    Attributes
    ----------
    X : Csr of shape (n, d)
    y : ndarray of shape (n,)
        The user's targets: numbers, or labels of classes.
    targets : tuple of ndarray, each of shape (n,)
        What the model is trained on, in the type of the arithmetic: one array for each output.
    weights : ndarray of shape (n,) or None
        None: all are one.
    rows : ndarray of int64
        The rows that take part, in order. Rows of weight zero do not take part; a row may occur
        more than once.
    fields : ndarray of int32, shape (d,), or None
        Number of the field of each feature, such as the column of a table that it is a value of.
    n_classes : int
        Number of classes, if the one target is their numbers.
    """

    X: _core.Csr
    y: Array
    targets: tuple[Array, ...]
    weights: Array | None
    rows: RowNumbers
    fields: npt.NDArray[np.int32] | None = None
    n_classes: int = 1

    @classmethod
    def of(
        cls,
        X: _core.Csr,
        y: Array,
        targets: tuple[Array, ...],
        weights: Array | None = None,
        rows: RowNumbers | None = None,
    ) -> "Dataset":
        """Return a dataset; by default all rows of positive weight take part."""
        if rows is None:
            everything = np.arange(X.n_rows, dtype=np.int64)
            rows = everything if weights is None else everything[weights > 0]
        return cls(X, y, targets, weights, rows)

    @classmethod
    def training(
        cls,
        X: Any,
        y: Any,
        sample_weight: Any,
        dtype: npt.DTypeLike,
        *,
        task: str,
        fields: Any = None,
    ) -> "Dataset":
        """Check the arguments `X`, `y`, `sample_weight` and `fields` of `train`."""
        matrix = _checked_matrix(X, dtype, "X", None)
        weights = as_weights(sample_weight, matrix.n_rows, dtype, "sample_weight")
        targets = as_vector(y, matrix.n_rows, dtype, "y").copy()  # a callback may change y
        if task == "ordinal":
            targets = as_classes(targets, "y")
        elif task == "binary":
            targets = as_labels(targets, "y")
            counted = targets if weights is None else targets[weights > 0]
            if counted.min() == counted.max():
                raise ValueError(
                    "y must hold two classes, but all rows (of positive weight) have one class"
                )
        dataset = cls.of(matrix, targets, (targets,), weights)
        return replace(dataset, fields=checked_fields(fields, matrix.n_features))

    def validation(self, X: Any, y: Any, *, task: str) -> "Dataset | None":
        """Check the arguments `X_val` and `y_val` of `train`, beside these training rows."""
        if X is None and y is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val go together: one of them is missing")
        matrix = _checked_matrix(X, self.dtype, "X_val", self.X.n_features)
        targets = as_vector(y, matrix.n_rows, self.dtype, "y_val", "X_val").copy()
        if task == "ordinal":
            targets = as_classes(targets, "y_val", int(self.y[self.rows].max()) + 1)
        elif task == "binary":
            targets = as_labels(targets, "y_val")
        return Dataset.of(matrix, targets, (targets,))

    @property
    def n_features(self) -> int:
        """Number of features d."""
        return self.X.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the arithmetic."""
        return self.targets[0].dtype

    # What follows is made once, not by `functools.cached_property`: before Python 3.12 it has one
    # lock for all data sets, and a child that is forked while a thread holds it waits for ever.

    @property
    def total_weight(self) -> float:
        """Sum of the weights of the rows that take part."""
        if "_total_weight" not in vars(self):
            total = (
                len(self.rows) if self.weights is None else self.weights[self.rows].sum(dtype=float)
            )
            vars(self)["_total_weight"] = float(total)
        return vars(self)["_total_weight"]  # type: ignore[no-any-return]

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """The share of each of the n rows, whether it takes part or not, in the weight of all."""
        if "_shares" not in vars(self):
            weights = np.ones(self.X.n_rows) if self.weights is None else self.weights
            share = weights.astype(np.float64) / weights.sum(dtype=np.float64)
            vars(self)["_shares"] = share
        return vars(self)["_shares"]  # type: ignore[no-any-return]

    @property
    def used_features(self) -> npt.NDArray[np.int64]:
        """The features that occur in a row that takes part, ascending."""
        if "_used_features" not in vars(self):
            if is_mapped(self.X):
                used = np.zeros(self.X.n_features, bool)
                for rows in self.row_numbers():
                    used[self.X.features_of(rows)] = True
                found = np.flatnonzero(used)
            else:
                found = self.X.features_of(self.rows)
            vars(self)["_used_features"] = found
        return vars(self)["_used_features"]  # type: ignore[no-any-return]

    def training_rows(self) -> Iterator[_core.Csr]:
        """Yield the rows of X that take part; those of a file in pieces that fit into memory."""
        if not is_mapped(self.X):
            yield self.X if self._takes_every_row_once() else take_rows(self.X, self.rows)
            return
        for rows in self.row_numbers():
            yield take_rows(self.X, rows)

    def _takes_every_row_once(self) -> bool:
        if len(self.rows) != self.X.n_rows:
            return False
        taken = np.zeros(self.X.n_rows, bool)
        taken[self.rows] = True
        return bool(taken.all())

    def row_numbers(self) -> Iterator[RowNumbers]:
        """Yield the numbers of the rows that take part, in pieces with few entries each."""
        begin, indptr = 0, self.X.indptr
        while begin < len(self.rows):
            rows = self.rows[begin : begin + ROWS_AT_ONCE]
            entries = np.cumsum(indptr[rows + 1] - indptr[rows])
            count = max(int(np.searchsorted(entries, ENTRIES_AT_ONCE, "right")), 1)
            yield rows[:count]
            release(self.X)
            begin += count

    def fields_with_pairs(
        self, fields: npt.NDArray[np.integer[Any]], n_fields: int
    ) -> npt.NDArray[np.bool_]:
        """Return for each field whether some row of the training has two features of it: (F,).

        Parameters
        ----------
        fields : ndarray of int, shape (d,)
            The field of each feature.
        n_fields : int
        """
        d = len(fields)
        in_field = sp.csr_matrix((np.ones(d, np.int32), fields, np.arange(d + 1)), (d, n_fields))
        found = np.zeros(n_fields, bool)
        for rows in self.training_rows():
            X = as_scipy(rows)
            present = sp.csr_matrix((np.ones(X.nnz, np.int32), X.indices, X.indptr), X.shape)
            if X.nnz:
                found |= (present @ in_field).max(axis=0).toarray().ravel() > 1
        return found

    def target_means(self) -> list[float]:
        """Return the weighted mean of the targets of each output."""
        return [self.mean(target) for target in self.targets]

    def mean(self, values: Array) -> float:
        """Return the weighted mean of `values`, one for each of the n rows."""
        if self.weights is None and is_mapped(self.X) and len(self.rows) == len(values):
            return float(values.astype(np.float64).mean())  # of all, with one copy less
        # Rows that do not take part must not change even the rounding.
        weights = None if self.weights is None else self.weights[self.rows].astype(np.float64)
        return float(np.average(values[self.rows].astype(np.float64), weights=weights))

    def of_all_classes(self) -> "Dataset":
        """Return a dataset whose one target are the numbers of classes, not one for each class."""
        codes = np.argmax(self.targets, axis=0).astype(self.dtype)
        return replace(self, targets=(codes,), n_classes=len(self.targets))

    def class_shares(self) -> npt.NDArray[np.float64]:
        """Return the share of the weight of each class, shape (n_classes,)."""
        codes = self.targets[0][self.rows].astype(np.intp)
        weights = None if self.weights is None else self.weights[self.rows].astype(np.float64)
        return np.bincount(codes, weights, self.n_classes) / self.total_weight

    def weights_of(self, rows: RowNumbers) -> Array | None:
        """Return the weights of some rows, None if all are one."""
        if self.weights is None:
            return None
        weights = self.weights[rows]
        return None if (weights == 1).all() else weights

    def choose(self, places: RowNumbers) -> "Dataset":
        """Return a dataset in which only some rows take part, given their positions in `rows`."""
        return replace(self, rows=self.rows[np.sort(places)])

    def take(self, places: RowNumbers) -> "Dataset":
        """Return a copy of some rows, given their positions in `rows`, in that order."""
        rows = self.rows[places]
        weights = None if self.weights is None else self.weights[rows]
        targets = tuple(target[rows] for target in self.targets)
        taken = Dataset.of(take_rows(self.X, rows), self.y[rows], targets, weights)
        return replace(taken, fields=self.fields, n_classes=self.n_classes)

    def with_features(self, features: npt.NDArray[np.int64]) -> "Dataset":
        """Return a dataset that has only some features, given in ascending order."""
        numbers = np.full(self.X.n_features, -1, np.int32)
        numbers[features] = np.arange(len(features), dtype=np.int32)
        indices = numbers[self.X.indices[: self.X.n_nonzeros]]
        kept = indices >= 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[self.X.indptr]
        values = None if self.X.values is None else self.X.values[: self.X.n_nonzeros][kept]
        fields = None
        if self.fields is not None:  # numbered 0, 1, 2 and so on
            fields = np.unique(self.fields[features], return_inverse=True)[1].astype(np.int32)
        X = _core.Csr(indptr, indices[kept], values, len(features), "rows")
        return replace(self, X=X, fields=fields)


def spread(n: int, size: int) -> npt.NDArray[np.int64]:
    """Return at most `size` positions, evenly spaced over [0, n)."""
    return np.linspace(0, n - 1, min(size, n)).astype(np.int64)


def _checked_matrix(X: Any, dtype: npt.DTypeLike, name: str, n_features: int | None) -> _core.Csr:
    matrix = as_csr(X, dtype, name, n_features)
    if matrix.n_rows == 0 or matrix.n_features == 0:
        shape = f"{matrix.n_rows} rows and {matrix.n_features} columns"
        raise ValueError(f"{name} is empty: it has {shape}")
    return matrix


def checked_fields(fields: Any, n_features: int) -> npt.NDArray[np.int32] | None:
    """Return the argument `fields`, one for each feature, or None if there are none."""
    if fields is None:
        return None
    numbers = as_array(fields, "fields")
    if numbers.shape != (n_features,):
        raise ValueError(f"fields has shape {numbers.shape}, but X has {n_features} features")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"fields must hold integers, got dtype {numbers.dtype}")
    if numbers.min() < 0 or numbers.max() >= n_features:
        raise ValueError("fields must number the fields 0, 1, 2 and so on, fewer than features")
    return numbers.astype(np.int32)
