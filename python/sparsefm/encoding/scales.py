"""Sparse matrices: each column keeps its place and its zeros, only its unit changes.

The unit of a column is the root mean square of its non-zero values; a column of ones has unit one
and stays as it is. As in `statistics`, order and repetition of rows change nothing: equal values
are put together, in order, before anything is added up.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Array = npt.NDArray[np.float64]


def grown_scales(known: Array, X: sp.csr_matrix, weights: Array | None) -> Array:
    """Return the scales of the columns of `X`: those that are known, the others by its values.

    Parameters
    ----------
    known : ndarray of shape (m_known,)
        0 for columns that had no value yet.
    X : csr_matrix of shape (n, m)
    weights : ndarray of shape (n,), optional
    """
    if not X.has_canonical_format:
        X = X.astype(
            np.float64
        )  # sums of small integers may not fit their type; a copy in any case
        X.sum_duplicates()
    if weights is not None:
        weights = np.repeat(weights, np.diff(X.indptr))
    scales = column_scales(X.indices, X.data, weights, X.shape[1])
    scales[: len(known)] = np.where(known > 0, known, scales[: len(known)])
    return scales


def apply_scales(X: sp.csr_matrix, scales: Array, dtype: npt.DTypeLike) -> sp.csr_matrix:
    """Return `X` with each column divided by its scale, not copied if there is nothing to do."""
    if np.isin(scales, (0, 1)).all():
        return X.astype(dtype, copy=False)
    divisors = np.where(scales > 0, scales, 1)[X.indices]
    with np.errstate(over="ignore", under="ignore"):
        values = (X.data / divisors).astype(dtype)
    if not np.isfinite(values).all():
        entry = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"X holds {X.data[entry]:g} in column {X.indices[entry]}, too far from the training "
            f"data for {np.dtype(dtype)}"
        )
    return sp.csr_matrix((values, X.indices, X.indptr), X.shape)


def column_scales(
    columns: npt.NDArray[Any], values: Array, weights: Array | None, n_columns: int
) -> Array:
    """Return the root mean square of the non-zero values of each column of a sparse matrix.

    Parameters
    ----------
    columns, values : ndarray of shape (n_nonzeros,)
        Its entries.
    weights : ndarray of shape (n_nonzeros,), optional
        Each the weight of the entry's row.

    Returns
    -------
    scales : ndarray of shape (n_columns,)
        1 where all values are 1, and 0 where there are none.
    """
    counted = values != 0
    if weights is not None:
        counted &= weights > 0
    columns, values = columns[counted], np.abs(values[counted].astype(np.float64))
    weights = np.ones(len(values)) if weights is None else weights[counted]
    present = np.bincount(columns, minlength=n_columns) > 0
    scales = present.astype(np.float64)
    uneven = np.zeros(n_columns, bool)
    uneven[columns[values != 1]] = True
    if not uneven.any():
        return scales
    chosen = uneven[columns]
    columns, values, weights = columns[chosen], values[chosen], weights[chosen]

    order = np.lexsort((weights, values, columns))
    columns, values, weights = columns[order], values[order], weights[order]
    begins = (np.diff(columns, prepend=-1) != 0) | (np.diff(values, prepend=0) != 0)
    starts = np.flatnonzero(begins)
    weights = np.add.reduceat(weights, starts)  # of equal values in a column
    columns, values = columns[starts], values[starts]
    last = np.flatnonzero(np.diff(columns, append=-1) != 0)  # the largest of each column
    exponents = np.zeros(n_columns, np.int32)
    exponents[columns[last]] = np.frexp(values[last])[1]
    squares = weights * np.ldexp(values, -exponents[columns]) ** 2
    means = np.bincount(columns, squares, n_columns) / np.maximum(
        np.bincount(columns, weights, n_columns), np.finfo(np.float64).tiny
    )
    return np.where(uneven, np.ldexp(np.sqrt(means), exponents), scales)
