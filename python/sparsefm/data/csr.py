"""From anything with rows to the checked CSR matrix that the core takes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.formats import csr_parts, shape_of
from sparsefm.data.mapped import is_mapped, release
from sparsefm.data.validation import as_array, cast, unmasked

MAX_FEATURES = 2**31 - 1  # column numbers are int32
MAPPED_AT_ONCE = 64  # rows of a file; of each, the system may map 64 KiB


def as_csr(
    X: Any, dtype: npt.DTypeLike, name: str = "X", n_features: int | None = None
) -> _core.Csr:
    """Check `X` and borrow it as CSR for computing in `dtype`.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n_rows, n_features)
        A CSR matrix is borrowed without a copy if its `indices` are int32 and its values are all
        one or of `dtype`. Anything else is converted once. Another sparse format or a dense array
        becomes a new CSR matrix, and values of another dtype are copied. Unsorted or duplicate
        entries (which are summed) and stored zeros (which are dropped) need a clean copy. `X` is
        never changed, and must not be changed while the result is in use.
    dtype : float32 or float64
    name : str
        Its name in error messages.
    n_features : int, optional
        The number of columns that it must have.
    """
    if isinstance(X, _core.Csr):  # the rows of a file
        if n_features not in (None, X.n_features):
            raise ValueError(
                f"{name} has {X.n_features} features, but {n_features} are expected; "
                "encode it as the training data were"
            )
        return X
    if not sp.issparse(X):
        X = _dense_to_csr(X, name)
    unmasked(getattr(X, "data", None), name)
    shape = shape_of(X, name)
    if shape[1] > MAX_FEATURES:
        raise ValueError(f"{name} has {shape[1]} columns; at most {MAX_FEATURES} are supported")
    if n_features is not None and shape[1] != n_features:
        raise ValueError(
            f"{name} has {shape[1]} features, but {n_features} are expected; "
            "encode it as the training data were"
        )
    parts = _fitting(*csr_parts(X, shape, name), shape, dtype, name)
    return from_arrays(*parts, shape, dtype, name)


def from_arrays(
    indptr: npt.NDArray[Any],
    indices: npt.NDArray[np.int32],
    values: npt.NDArray[Any] | None,
    shape: tuple[int, int],
    dtype: npt.DTypeLike,
    name: str = "X",
) -> _core.Csr:
    """Check the arrays of a CSR matrix for computing in `dtype`, and borrow them.

    Parameters
    ----------
    indptr : ndarray of int32 or int64
    indices : ndarray of int32
    values : ndarray of float32 or float64, or None
        None if all are one.
    shape : (int, int)
    dtype : float32 or float64
    name : str
        What error messages call the matrix.
    """
    checked = _borrow(indptr, indices, values, shape, dtype, name)
    if checked.canonical:
        return checked
    if values is None:
        values = np.ones(len(indices), dtype)
    values = cast(values, dtype, name)  # first: tiny values may become zero
    clean = sp.csr_matrix((values, indices, indptr), shape, copy=True)
    clean.has_sorted_indices = clean.has_canonical_format = False
    clean.sum_duplicates()
    clean.eliminate_zeros()
    parts = _fitting(clean.indptr, clean.indices, clean.data, shape, dtype, name)
    return _borrow(*parts, shape, dtype, name)


def as_dtype(X: _core.Csr, dtype: npt.DTypeLike) -> _core.Csr:
    """Return a checked matrix for computing in `dtype`, itself if it is that already."""
    if X.values is None or X.all_ones or X.values.dtype == dtype:
        return X
    return with_values(X, cast(X.values, dtype, "X"))


def with_values(X: _core.Csr, values: npt.NDArray[Any]) -> _core.Csr:
    """Return a matrix with the entries of a checked one, but other values; zeros are dropped."""
    return from_arrays(X.indptr, X.indices, values, (X.n_rows, X.n_features), values.dtype)


def take_rows(X: _core.Csr, rows: npt.NDArray[np.int64]) -> _core.Csr:
    """Return a copy of some rows of a checked matrix."""
    if is_mapped(X) and len(rows) > MAPPED_AT_ONCE and np.ptp(rows) > 2 * len(rows):
        parts = []
        for first in range(0, len(rows), MAPPED_AT_ONCE):
            parts.append(take_rows(X, rows[first : first + MAPPED_AT_ONCE]))
            release(X)
        return stacked(parts)
    begin = X.indptr[rows].astype(np.int64)
    lengths = X.indptr[rows + 1] - begin
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(begin - indptr[:-1], lengths) + np.arange(indptr[-1])
    values = None if X.values is None else X.values[places]
    return _core.Csr(indptr, X.indices[places], values, X.n_features, "rows")


def stacked(parts: list[_core.Csr]) -> _core.Csr:
    """Return the rows of some checked matrices, one below the other."""
    ends = np.cumsum([0, *(part.n_nonzeros for part in parts)])
    pointers = [part.indptr[1:] + end for part, end in zip(parts, ends[:-1], strict=True)]
    values = None
    if any(part.values is not None for part in parts):
        reals = [part.values.dtype for part in parts if part.values is not None]
        values = np.concatenate([as_scipy(part, np.result_type(*reals)).data for part in parts])
    return _core.Csr(
        np.concatenate([[0], *pointers]),
        np.concatenate([part.indices[: part.n_nonzeros] for part in parts]),
        values,
        parts[0].n_features,
        "rows",
    )


def as_scipy(X: _core.Csr, dtype: npt.DTypeLike = np.float64) -> sp.csr_matrix:
    """Return a checked matrix as SciPy's; arrays are shared where they have the same type."""
    if X.values is None:
        values = np.ones(X.n_nonzeros, dtype)
    else:
        values = X.values[: X.n_nonzeros].astype(dtype, copy=False)
    matrix = sp.csr_matrix((values, X.indices, X.indptr), (X.n_rows, X.n_features))
    matrix.has_sorted_indices = matrix.has_canonical_format = X.canonical
    return matrix


def _dense_to_csr(X: Any, name: str) -> Any:
    array = as_array(X, name)
    if array.dtype.kind not in "fiub":
        hint = "encode text and categories first, for example with sklearn's OneHotEncoder"
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}; {hint}")
    if array.ndim != 2:
        hint = f"; {name}.reshape(1, -1) makes one row of it" if array.ndim == 1 else ""
        raise ValueError(f"{name} must be two-dimensional, got shape {array.shape}{hint}")
    return sp.csr_matrix(array)


def _fitting(
    indptr: npt.NDArray[Any],
    indices: npt.NDArray[Any],
    values: npt.NDArray[Any],
    shape: tuple[int, int],
    dtype: npt.DTypeLike,
    name: str,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32], npt.NDArray[Any] | None]:
    """Return the arrays of a CSR matrix in types that the core reads, copied only if needed.

    The values are None if they are integers or booleans and all one.
    """
    indptr, indices, values = (
        array if array.flags.carray else np.require(array, requirements=["C", "A"])
        for array in (indptr, indices, values)
    )
    if indptr.dtype not in (np.int32, np.int64):
        indptr = indptr.astype(np.int64)
    if 0 <= indptr[-1] <= min(len(indices), len(values)):  # what lies beyond is unused
        indices, values = indices[: indptr[-1]], values[: indptr[-1]]
    if indices.dtype != np.int32:
        if indices.size and (indices.min() < 0 or indices.max() >= shape[1]):
            raise ValueError(f"{name} has a column out of range: it has {shape[1]} columns")
        indices = indices.astype(np.int32)
    if values.dtype.kind in "iub" and len(values) == len(indices) and (values == 1).all():
        return indptr, indices, None
    if values.dtype not in (np.float32, np.float64):
        values = cast(values, dtype, name)
    return indptr, indices, values


def _borrow(
    indptr: npt.NDArray[Any],
    indices: npt.NDArray[np.int32],
    values: npt.NDArray[Any] | None,
    shape: tuple[int, int],
    dtype: npt.DTypeLike,
    name: str,
) -> _core.Csr:
    """Check the arrays in one scan; convert the values, unless all are one."""
    checked = _core.Csr(indptr, indices, values, shape[1], name)
    if values is None or checked.all_ones or values.dtype == dtype:
        return checked
    return _core.Csr(indptr, indices, cast(values, dtype, name), shape[1], name)
