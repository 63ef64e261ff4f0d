"""Datasets as bytes, which engines send and keep."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import take_rows
from sparsefm.data.dataset import Dataset

Array = npt.NDArray[Any]


def pack_matrix(X: _core.Csr) -> tuple[Any, ...]:
    """Return a matrix as what can be pickled."""
    return X.indptr, X.indices, X.values, X.n_features


def matrix_of(packed: tuple[Any, ...]) -> _core.Csr:
    """Return what `pack_matrix` was given."""
    indptr, indices, values, n_features = packed
    return _core.Csr(indptr, indices, values, n_features, "rows")


def pack(dataset: Dataset) -> bytes:
    """Return the rows that take part, in their order; values in the type of the arithmetic."""
    rows = dataset.rows
    X = take_rows(dataset.X, rows)
    values = X.values
    if values is not None:
        values = None if (values == 1).all() else values.astype(dataset.dtype, copy=False)
    weights = None if dataset.weights is None else dataset.weights[rows]
    targets = [target[rows] for target in dataset.targets]
    matrix = X.indptr, X.indices, values, X.n_features
    rest = dataset.y[rows], targets, weights, dataset.fields, dataset.n_classes
    return pickle.dumps((matrix, rest), protocol=5)


def unpack(packed: bytes) -> Dataset:
    """Return what `pack` was given, of which all rows take part."""
    matrix, (y, targets, *rest) = pickle.loads(packed)
    weights, fields, n_classes = rest
    everything = np.arange(len(y), dtype=np.int64)
    return Dataset(matrix_of(matrix), y, tuple(targets), weights, everything, fields, n_classes)


def together(parts: Sequence[Dataset]) -> Dataset:
    """Return the rows of at least one dataset of the same features, all of which take part."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    ends = np.cumsum([part.X.n_nonzeros for part in parts])
    starts = [0, *ends[:-1].tolist()]
    indptr = [np.zeros(1, np.int64)]
    indptr += [part.X.indptr[1:] + start for part, start in zip(parts, starts, strict=True)]
    indices = [part.X.indices[: part.X.n_nonzeros] for part in parts]
    X = _core.Csr(
        np.concatenate(indptr).astype(np.int32 if ends[-1] < 2**31 else np.int64),
        np.concatenate(indices),
        _joined([part.X.values for part in parts], [len(own) for own in indices]),
        first.X.n_features,
        "rows",
    )
    y = np.concatenate([part.y for part in parts])
    targets = [np.concatenate(own) for own in zip(*(part.targets for part in parts), strict=True)]
    weights = _joined([part.weights for part in parts], [len(part.y) for part in parts])
    everything = np.arange(len(y), dtype=np.int64)
    return Dataset(X, y, tuple(targets), weights, everything, first.fields, first.n_classes)


def _joined(arrays: Sequence[Array | None], lengths: Sequence[int]) -> Array | None:
    """Return arrays one after the other, None where all numbers are one."""
    known = [array for array in arrays if array is not None]
    if not known:
        return None
    dtype = known[0].dtype
    return np.concatenate(
        [
            np.ones(length, dtype) if array is None else array[:length]
            for array, length in zip(arrays, lengths, strict=True)
        ]
    )
