"""SciPy's sparse formats as CSR. Each is checked before anybody converts it.

SciPy trusts the arrays of its matrices: its conversions read and write wherever they say, and a
matrix that lies ends the process. So nothing here converts a matrix that a user made. Its parts are
read once and checked, and what is converted is a new matrix of these parts.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.distinct import distinct_values
from sparsefm.data.memory import check_height
from sparsefm.data.validation import as_array

Array = npt.NDArray[Any]
Shape = tuple[int, int]
Parts = tuple[Array, Array, Array]  # indptr, indices and values of CSR

REALS = (np.dtype(np.float32), np.dtype(np.float64))
MOST_ROWS = 2**48  # so that no size overflows
UNREADABLE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def shape_of(X: Any, name: str) -> Shape:
    """Return the shape of a sparse matrix if it is one."""
    try:
        shape = tuple(X.shape)
        sizes = all(type(size) is int or isinstance(size, np.integer) for size in shape)
    except UNREADABLE:
        sizes = False
    if not sizes:
        raise ValueError(f"{name} is malformed: its shape is not a pair of integers")
    if len(shape) != 2:
        raise ValueError(f"{name} must be two-dimensional, got {len(shape)} dimension(s)")
    if not (0 <= shape[0] < MOST_ROWS and 0 <= shape[1] < MOST_ROWS):
        raise ValueError(f"{name} is malformed: its shape is {shape}"[:200])
    return int(shape[0]), int(shape[1])


def csr_parts(X: Any, shape: Shape, name: str) -> Parts:
    """Return a sparse matrix of any format as the arrays of a CSR matrix.

    Those of a CSR matrix are its own, and not checked yet: the core does that. Others are checked.

    Raises
    ------
    ValueError
        If the matrix is malformed.
    TypeError
        If it does not hold real numbers.
    """
    form = getattr(X, "format", None)
    if form not in FORMATS:
        raise ValueError(f"{name} has an unknown sparse format {form!r:.40}")
    if form != "csr":
        check_height(shape[0], name)
    try:
        return FORMATS[form](X, shape)
    except _NotRealError as error:
        raise TypeError(f"{name} {error}") from None
    except UNREADABLE as error:
        raise ValueError(f"{name} is malformed: {error}") from None


class _NotRealError(Exception):
    """The values of a matrix are not real numbers."""


def _csr(X: Any, shape: Shape) -> Parts:
    indptr, indices = _integers(X.indptr, "indptr"), _integers(X.indices, "indices")
    values = _values(X.data, 1)
    if len(indptr) != shape[0] + 1:
        raise ValueError(
            f"indptr must have {shape[0] + 1} entries, one more than rows; it has {len(indptr)}"
        )
    return indptr, indices, values


def _csc(X: Any, shape: Shape) -> Parts:
    rows, columns = shape
    parts = _compressed(X, columns, rows, "columns")
    return _parts(sp.csc_matrix(parts, shape).tocsr())


def _bsr(X: Any, shape: Shape) -> Parts:
    blocks = _values(X.data, 3)
    _, height, width = blocks.shape
    if height < 1 or width < 1 or shape[0] % height or shape[1] % width:
        raise ValueError(f"blocks of shape {(height, width)} do not divide the matrix {shape}")
    parts = _compressed(X, shape[0] // height, shape[1] // width, "rows of blocks", blocks)
    return _parts(sp.bsr_matrix(parts, shape).tocsr())


def _coo(X: Any, shape: Shape) -> Parts:
    return _of_entries(_integers(X.row, "row"), _integers(X.col, "col"), _values(X.data, 1), shape)


def _dok(X: Any, shape: Shape) -> Parts:
    keys, values = list(X.keys()), list(X.values())
    places = np.array(keys) if keys else np.empty((0, 2), np.int64)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError("its keys are not pairs of row and column")
    row, column = (_integers(place, "key") for place in places.T)
    return _of_entries(row, column, _values(values, 1), shape)


def _lil(X: Any, shape: Shape) -> Parts:
    of_rows, of_data = list(X.rows), list(X.data)
    lengths = [len(row) for row in of_rows]
    if len(of_rows) != shape[0] or lengths != [len(row) for row in of_data]:
        raise ValueError("a row has more columns than values, or fewer, or there is no such row")
    flat = list(chain.from_iterable(of_rows))
    columns = _integers(np.array(flat) if flat else np.empty(0, np.int64), "columns")
    row = np.repeat(np.arange(shape[0]), lengths)
    return _of_entries(row, columns, _values(list(chain.from_iterable(of_data)), 1), shape)


def _dia(X: Any, shape: Shape) -> Parts:
    offsets, values = _integers(X.offsets, "offsets"), _values(X.data, 2)
    if len(offsets) != len(values):
        raise ValueError(f"it has {len(offsets)} offsets, but {len(values)} rows of data")
    if len(distinct_values(offsets)) != len(offsets):
        raise ValueError("an offset is there twice")
    rows, columns, parts = [], [], []
    for offset, diagonal in zip(offsets.tolist(), values, strict=True):
        begin = max(0, offset)
        end = max(begin, min(shape[1], shape[0] + offset, len(diagonal)))
        column = np.arange(begin, end)
        columns.append(column)
        rows.append(column - offset if len(column) else column)
        parts.append(diagonal[begin:end])
    if not parts:
        return _of_entries(np.empty(0, np.int64), np.empty(0, np.int64), values.ravel(), shape)
    row, column, entries = map(np.concatenate, (rows, columns, parts))
    return _of_entries(row, column, entries, shape)


FORMATS: dict[str, Callable[[Any, Shape], Parts]] = {
    "csr": _csr,
    "csc": _csc,
    "bsr": _bsr,
    "coo": _coo,
    "dok": _dok,
    "lil": _lil,
    "dia": _dia,
}


def _compressed(
    X: Any, n_lines: int, size: int, lines: str, values: Array | None = None
) -> tuple[Array, Array, Array]:
    """Return the checked values, indices and indptr of a compressed format."""
    indptr, indices = _integers(X.indptr, "indptr"), _integers(X.indices, "indices")
    values = _values(X.data, 1) if values is None else values
    if len(indptr) != n_lines + 1:
        raise ValueError(f"indptr must have one entry more than {lines}, but has {len(indptr)}")
    if indptr[0] != 0 or (indptr[1:] < indptr[:-1]).any():
        raise ValueError("indptr must begin with 0 and not decrease")
    end = int(indptr[-1])
    if end > min(len(indices), len(values)):
        raise ValueError(
            f"indptr says {end} entries, but there are {len(indices)} indices and {len(values)} "
            "values"
        )
    indices = indices[:end]
    _check_range(indices, size, "an index")
    return values[:end], indices, indptr


def _of_entries(row: Array, column: Array, values: Array, shape: Shape) -> Parts:
    """Return entries as CSR; those of the same place are added up."""
    if not len(row) == len(column) == len(values):
        raise ValueError(
            f"it has {len(row)} rows, {len(column)} columns and {len(values)} values of entries"
        )
    _check_range(row, shape[0], "a row")
    _check_range(column, shape[1], "a column")
    return _parts(sp.coo_matrix((values, (row, column)), shape).tocsr())


def _parts(X: Any) -> Parts:
    return X.indptr, X.indices, X.data


def _check_range(indices: Array, size: int, what: str) -> None:
    if indices.size and (indices.min() < 0 or indices.max() >= size):
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise ValueError(f"{what} is {wrong}, but must be at least 0 and less than {size}")


def _integers(values: Any, part: str) -> Array:
    array = np.asarray(values)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise ValueError(f"{part} must be one-dimensional, of integers; it is {array.dtype}")
    return array


def _values(values: Any, n_dimensions: int) -> Array:
    """Return the values of a matrix, which must be real numbers."""
    if type(values) is np.ndarray and values.dtype in REALS and values.ndim == n_dimensions:
        return values
    given = values if isinstance(values, np.ndarray) else np.asarray(values)
    if given.dtype.kind not in "fiub":
        raise _NotRealError(f"must hold real numbers, got dtype {given.dtype}")
    try:
        array = as_array(given, "data")
    except TypeError as error:
        raise _NotRealError(f"is malformed: its {error}") from None
    if array.ndim != n_dimensions:
        raise ValueError(f"its data must have {n_dimensions} dimension(s), not {array.ndim}")
    return array
