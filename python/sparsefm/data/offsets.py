"""Columns whose values lie far from zero compared with how they differ, such as a year.

Where columns are not centred, as in a sparse matrix, such a column is nearly constant: its
differences need a large weight, which the penalty does not allow, and drown.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import take_rows
from sparsefm.data.mapped import is_mapped

ENOUGH_ROWS = 20
MOST_MAPPED = 4096  # of the rows of a file, to look at
MOST_ROWS = 0.9  # have a value in the column; where many have none, that matters more than which
NOISE = 1e-6  # times the size: values that differ by less are one value with rounding errors
FAR = 5.0  # times the spread; from about 2 on the effect of a column suffers, from 10 on it is lost


def offset_columns(
    X: _core.Csr, weights: npt.NDArray[Any] | None = None
) -> dict[int, tuple[float, float]]:
    """Return the columns of numbers far from zero, each with the range of most of its values.

    Columns of one value, such as one-hot or an intercept, are none: the range is that between the
    1% and the 99% quantile, so that neither a few typing errors nor a few twos among ones count.

    Parameters
    ----------
    X : Csr of shape (n, d)
    weights : ndarray of shape (n,), optional
        Rows of weight zero do not count.
    """
    if X.values is None or X.all_ones or X.n_rows < ENOUGH_ROWS:
        return {}
    if is_mapped(X) and X.n_rows > MOST_MAPPED:
        rows = np.linspace(0, X.n_rows - 1, MOST_MAPPED).astype(np.int64)
        return offset_columns(take_rows(X, rows), None if weights is None else weights[rows])
    indices, values = X.indices[: X.n_nonzeros], X.values[: X.n_nonzeros]
    n_rows = X.n_rows
    if weights is not None and not weights.all():
        counted = np.repeat(weights > 0, np.diff(X.indptr))
        indices, values, n_rows = indices[counted], values[counted], int((weights > 0).sum())
    occurring, counts = _counts(indices, X.n_features)
    dense = occurring[counts >= max(MOST_ROWS * n_rows, ENOUGH_ROWS)]
    found = {}
    if len(dense):
        places = np.flatnonzero(dense[np.searchsorted(dense[:-1], indices)] == indices)
        order = places[np.argsort(indices[places], kind="stable")]
        ends = np.flatnonzero(np.diff(indices[order])) + 1
        for column, part in zip(dense.tolist(), np.split(values[order], ends), strict=True):
            ordered, last = np.sort(part), len(part) - 1  # NumPy's quantiles may overflow
            low, high = ordered[[round(0.01 * last), round(0.99 * last)]].tolist()
            near = min(abs(low), abs(high))
            if low * high > 0 and near * NOISE < high - low < near / FAR:
                found[column] = (low, high)
    return found


def warn_of_offsets(found: dict[int, tuple[float, float]], names: Any, remedy: str) -> None:
    """Warn of columns with offsets, once for all of them."""
    if not found:
        return
    column, (low, high) = next(iter(found.items()))
    name = f"x{column}" if names is None else names[column]
    more = f" (and {len(found) - 1} more such columns)" if len(found) > 1 else ""
    warnings.warn(
        f"column {name!r} of X holds numbers between {low:g} and {high:g}{more}, far from zero "
        "compared with how they differ. The columns are not centred, so these differences have "
        f"hardly any effect: subtract about {(low + high) / 2:g} from the column{remedy}",
        UserWarning,
        stacklevel=2,
    )


def _counts(indices: npt.NDArray[np.int32], n_features: int) -> tuple[Any, Any]:
    """Return the columns that occur, and how often; at a cost of the entries."""
    if len(indices) < n_features:
        return np.unique(indices, return_counts=True)
    counts = np.bincount(indices, minlength=n_features)
    return np.arange(n_features), counts
