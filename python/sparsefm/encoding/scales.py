"""Sparse matrices: each column keeps its place and its zeros, only its unit changes.

The unit of a column is the root mean square of its non-zero values; a column of ones has unit one
and stays as it is. As in `statistics`, order and repetition of rows change nothing: equal values
are put together, in order, before anything is added up.
"""

from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import as_dtype, with_values

Array = npt.NDArray[np.float64]
Columns = npt.NDArray[np.integer[Any]]


class Scales:
    """The scale of each column, 0 for columns that had no value yet.

    Parameters
    ----------
    values : ndarray of float64, shape (n_columns,)
    """

    def __init__(self, values: Array) -> None:
        self._storage = _Storage(values, 0)
        self._version = 0
        self._n_columns = len(values)
        self.all_ones = bool(((values == 0) | (values == 1)).all())

    def __reduce__(self) -> Any:
        return Scales, (self.values,)

    def __len__(self) -> int:
        return self._n_columns

    @property
    def values(self) -> Array:
        """The scales, shape (n_columns,)."""
        return self._storage.first(self._n_columns, self._version)

    def grown(self, X: _core.Csr, weights: Array | None) -> "Scales":
        """Return the scales of the columns of `X`: those that are known, the others by its values.

        Parameters
        ----------
        X : Csr of shape (n, m)
            With these columns, and perhaps more after them.
        weights : ndarray of shape (n,), optional
        """
        is_new = self._storage.at(X.indices, self._version) == 0
        values = None if X.values is None or X.all_ones else X.values[is_new]
        if weights is not None:
            weights = np.repeat(weights, np.diff(X.indptr))[is_new]
        columns, scales = column_scales(X.indices[is_new], values, weights, X.n_features)
        grown = Scales.__new__(Scales)
        vars(grown).update(vars(self), _n_columns=X.n_features)
        if len(columns):
            if not grown._storage.put(columns, scales, self._version, X.n_features):
                grown._storage = _Storage(self.values, self._version)
                grown._storage.put(columns, scales, self._version, X.n_features)
            grown._version += 1
            grown.all_ones = self.all_ones and bool((scales == 1).all())
        return grown

    def at(self, columns: Columns) -> Array:
        """Return the scales of some columns."""
        return self._storage.at(columns, self._version)

    def apply(self, X: _core.Csr, dtype: npt.DTypeLike) -> _core.Csr:
        """Return `X` in `dtype`, each column divided by its scale; itself if nothing changes."""
        if self.all_ones:
            return as_dtype(X, dtype)
        scales = self._storage.at(X.indices, self._version)
        scales[scales == 0] = 1
        given = np.ones(X.n_nonzeros) if X.values is None else X.values
        with np.errstate(over="ignore", under="ignore"):
            values = (given / scales).astype(dtype)
        if not np.isfinite(values).all():
            entry = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                f"X holds {given[entry]:g} in column {X.indices[entry]}, too far from the training "
                f"data for {np.dtype(dtype)}"
            )
        return with_values(X, values)


class _Storage:
    """Scales of several versions in one array, for each grows out of the one before.

    `since` has the version that set each scale: for versions before, the column had no value yet.
    There is room for more columns at the end. So a new version costs what is new in it.
    """

    def __init__(self, scales: Array, version: int) -> None:
        self._latest = version
        self._lock = Lock()
        self._arrays = scales.astype(np.float64), np.full(len(scales), version, np.int32)

    def at(self, columns: Columns, version: int) -> Array:
        """Return the scales of some columns in a version."""
        scales, since = self._arrays
        if len(scales) == 0:
            return np.zeros(len(columns))
        found: Array = scales.take(columns, mode="clip")
        if version < self._latest:
            found[since.take(columns, mode="clip") > version] = 0
        if columns.max(initial=0) >= len(scales):
            found[columns >= len(scales)] = 0
        return found

    def first(self, n_columns: int, version: int) -> Array:
        """Return the scales of the first columns in a version."""
        scales, since = (array[:n_columns] for array in self._arrays)
        return _extended(np.where(since > version, 0, scales), n_columns)

    def put(self, columns: Columns, scales: Array, version: int, n_columns: int) -> bool:
        """Set scales that are 0 in a version, for the next one; False if there is a next one.

        False, too, if another thread is at it: the caller then copies. Nobody waits: a child that
        is forked meanwhile would wait for ever.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if version != self._latest:
                return False
            known, since = self._arrays
            if n_columns > len(known):
                size = max(n_columns, 2 * len(known))
                known, since = _extended(known, size), _extended(since, size)
            since[columns] = version + 1  # first: others may be reading
            known[columns] = scales
            self._arrays, self._latest = (known, since), version + 1
            return True
        finally:
            self._lock.release()


def _extended(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    longer = np.zeros(size, array.dtype)
    longer[: len(array)] = array
    return longer


def column_scales(
    columns: Columns, values: npt.NDArray[Any] | None, weights: Array | None, n_columns: int
) -> tuple[Columns, Array]:
    """Return the columns that occur among the entries of a sparse matrix, and their scales.

    Parameters
    ----------
    columns : ndarray of shape (n_nonzeros,)
    values : ndarray of shape (n_nonzeros,), optional
        Of the entries, not zero; all one if there are none.
    weights : ndarray of shape (n_nonzeros,), optional
        Each the weight of the entry's row; entries of weight zero do not count.
    n_columns : int

    Returns
    -------
    columns : ndarray of int, shape (n_occurring,)
    scales : ndarray of float64, shape (n_occurring,)
        The root mean square of the values of each.
    """
    if weights is not None:
        counted = weights > 0
        columns, weights = columns[counted], weights[counted]
        values = None if values is None else values[counted]
    if len(columns) < n_columns:  # costs no more than the entries do
        occurring, columns = np.unique(columns, return_inverse=True)
        places: Any = slice(None)
        n_columns = len(occurring)
    else:
        occurring = places = np.flatnonzero(np.bincount(columns, minlength=n_columns))
    if values is None:
        return occurring, np.ones(len(occurring))
    values = np.abs(values.astype(np.float64))
    weights = np.ones(len(values)) if weights is None else weights
    return occurring, _root_mean_squares(columns, values, weights, n_columns)[places]


def _root_mean_squares(columns: Columns, values: Array, weights: Array, n_columns: int) -> Array:
    """Return the weighted root mean square of the positive values of each column; 1 for ones."""
    uneven = np.zeros(n_columns, bool)
    uneven[columns[values != 1]] = True
    if not uneven.any():
        return np.ones(n_columns)
    chosen = uneven[columns]
    columns, values, weights = columns[chosen], values[chosen], weights[chosen]

    keys = (values, columns) if (weights == weights[:1]).all() else (weights, values, columns)
    order = np.lexsort(keys)
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
    return np.where(uneven, np.ldexp(np.sqrt(means), exponents), 1.0)
