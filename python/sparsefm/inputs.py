"""The boundary: what users pass, checked and brought into the one form that the core takes.

Everything here raises ``ValueError`` or ``TypeError`` naming the argument, what was found and what
to do, before any work is done.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core

MAX_FEATURES = 2**31 - 1  # column numbers are int32


def check_integer(value: Any, name: str, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def check_real(value: Any, name: str, *, above: float | None = None, least: float = 0.0) -> float:
    """Return `value` as a finite float greater than `above`, or of at least `least`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {value}")
    if above is not None and number <= above:
        raise ValueError(f"{name} must be greater than {above:g}, got {value}")
    if above is None and number < least:
        raise ValueError(f"{name} must be at least {least:g}, got {value}")
    return number


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """Return `dtype` as float32 or float64."""
    for choice in (np.float32, np.float64):
        try:
            if np.dtype(dtype) == choice and dtype is not None:
                return np.dtype(choice)
        except TypeError:
            break
    raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}")


def as_csr(
    X: Any, dtype: npt.DTypeLike, name: str = "X", n_features: int | None = None
) -> _core.Csr:
    """Check `X` and borrow it as CSR for computing in `dtype`.

    Parameters
    ----------
    X : sparse matrix, sparse array or array-like of shape (n_rows, n_features)
        CSR with int32 `indices` and values that are all one or already of `dtype` is borrowed as it
        is. Anything else costs one conversion: another sparse format or a dense array a new CSR
        matrix; another dtype a copy of its values; unsorted or duplicate entries (which are summed)
        and stored zeros (which are dropped) a clean copy. `X` itself is never changed.
    dtype : float32 or float64
    name : str
        What error messages call it.
    n_features : int, optional
        How many columns it must have.
    """
    if not sp.issparse(X):
        X = _dense_to_csr(X, name)
    elif X.ndim != 2:
        raise ValueError(f"{name} must be two-dimensional, got {X.ndim} dimension(s)")
    if X.shape[1] > MAX_FEATURES:
        raise ValueError(f"{name} has {X.shape[1]} columns; at most {MAX_FEATURES} are supported")
    if n_features is not None and X.shape[1] != n_features:
        raise ValueError(
            f"{name} has {X.shape[1]} features, but {n_features} are expected; "
            "encode it as the training data were"
        )
    if X.format != "csr":
        _check_other_format(X, name)
        X = X.tocsr()
    if X.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {X.dtype}")
    checked = _borrow(X, dtype, name)
    if not checked.canonical:
        X = sp.csr_matrix((X.data, X.indices, X.indptr), shape=X.shape, copy=True)
        X.has_sorted_indices = X.has_canonical_format = False
        X.sum_duplicates()
        X.eliminate_zeros()
        checked = _borrow(X, dtype, name)
    return checked


def _dense_to_csr(X: Any, name: str) -> Any:
    array = np.asarray(X)
    if array.dtype.kind not in "fiub":
        hint = "encode text and categories first, for example with sklearn's OneHotEncoder"
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}; {hint}")
    if array.ndim != 2:
        hint = f"{name}.reshape(1, -1) makes one row of it" if array.ndim == 1 else ""
        raise ValueError(f"{name} must be two-dimensional, got shape {array.shape}; {hint}")
    return sp.csr_matrix(array)


def _check_other_format(X: Any, name: str) -> None:
    """Look for indices out of range, on which scipy's conversions would read out of bounds."""
    try:
        if hasattr(X, "check_format"):
            X.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name} is malformed: {error}") from None
    if X.format == "coo" and X.nnz:
        for index, size in ((X.row, X.shape[0]), (X.col, X.shape[1])):
            if index.min() < 0 or index.max() >= size:
                raise ValueError(f"{name} is malformed: an index is out of range")


def _borrow(X: Any, dtype: npt.DTypeLike, name: str) -> _core.Csr:
    """Borrow a canonical or not yet canonical CSR matrix, converting what the core cannot read."""
    indptr, indices, data = (np.ascontiguousarray(a) for a in (X.indptr, X.indices, X.data))
    if indptr.dtype not in (np.int32, np.int64):
        raise ValueError(f"{name}.indptr must be of int32 or int64, got {indptr.dtype}")
    if len(indptr) != X.shape[0] + 1:
        raise ValueError(
            f"{name}.indptr must have {X.shape[0] + 1} entries, one more than rows; "
            f"it has {len(indptr)}"
        )
    if indices.dtype != np.int32:
        if indices.size and (indices.min() < 0 or indices.max() >= X.shape[1]):
            raise ValueError(f"{name} has a column out of range: {X.shape[1]} columns")
        indices = indices.astype(np.int32)
    if data.dtype not in (np.float32, np.float64):
        data = data.astype(dtype)
    checked = _core.Csr(indptr, indices, data, X.shape[1], name)
    if checked.all_ones or data.dtype == dtype:
        return checked
    return _core.Csr(indptr, indices, _cast(data, dtype, name), X.shape[1], name)


def _cast(values: npt.NDArray[Any], dtype: npt.DTypeLike, name: str) -> npt.NDArray[Any]:
    """Convert finite values, which must stay finite."""
    with np.errstate(over="ignore"):
        cast = values.astype(dtype)
    if not np.isfinite(cast).all():
        largest = np.abs(values).max()
        raise ValueError(
            f"{name} holds {largest:g}, too large for {np.dtype(dtype)}: "
            "scale it, or use dtype='float64'"
        )
    return cast


def as_vector(values: Any, n_rows: int, dtype: npt.DTypeLike, name: str) -> npt.NDArray[Any]:
    """Return `values` as a contiguous, finite array of shape (n_rows,)."""
    if sp.issparse(values):
        raise TypeError(f"{name} must be a dense one-dimensional array, got a sparse matrix")
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype == object:  # what pandas makes of booleans or numbers with something missing
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must hold real numbers, got {values!r:.80}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if len(array) != n_rows:
        raise ValueError(f"{name} has {len(array)} entries, but X has {n_rows} rows")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise ValueError(
            f"{name} holds {array[bad[0]]} at row {bad[0]}: remove such rows or fill them in"
        )
    return np.ascontiguousarray(_cast(array, dtype, name))


def as_labels(targets: npt.NDArray[Any], name: str) -> npt.NDArray[Any]:
    """Return two-class labels, given as 0 and 1, or as -1 and 1, as 0 and 1."""
    found = np.unique(targets)
    if not (set(found) <= {0, 1} or set(found) <= {-1, 1}):
        shown = ", ".join(f"{label:g}" for label in found[:5]) + (", ..." if len(found) > 5 else "")
        raise ValueError(f"{name} must hold the two classes 0 and 1, or -1 and 1; found {shown}")
    return (targets > 0).astype(targets.dtype)


def as_weights(
    values: Any, n_rows: int, dtype: npt.DTypeLike, name: str
) -> npt.NDArray[Any] | None:
    """Return non-negative weights with a positive sum, or None for none."""
    if values is None:
        return None
    weights = as_vector(values, n_rows, dtype, name)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise ValueError(f"{name} must not be negative; row {row} has {weights[row]:g}")
    if not (weights > 0).any():
        raise ValueError(f"{name} must hold a positive weight; all {n_rows} are zero")
    return weights


def check_parameters(w0: Any, w: Any, V: Any) -> tuple[float, npt.NDArray[Any], npt.NDArray[Any]]:
    """Return finite w0, w (d,) and V (d, k), the arrays C-contiguous and of one type.

    That is float32 if both arrays are, else float64.
    """
    factors = np.asarray(V)
    linear = np.asarray(w)
    if factors.ndim != 2:
        raise ValueError(f"V must have shape (n_features, rank), got {factors.shape}")
    kinds = {factors.dtype, linear.dtype}
    dtype = np.float32 if kinds == {np.dtype(np.float32)} else np.float64
    linear = as_vector(linear, len(factors), dtype, "w")
    flat = as_vector(factors.reshape(-1), factors.size, dtype, "V")
    bias = np.asarray(w0)
    if bias.size != 1 or bias.dtype.kind not in "fiub" or not np.isfinite(bias).all():
        raise ValueError(f"w0 must be a finite number, got {w0!r}")
    return float(bias.reshape(())), linear, flat.reshape(factors.shape)
