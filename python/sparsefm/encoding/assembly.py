"""From encoded columns, side by side, to one CSR matrix."""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.encoding.columns import NOTHING, UNKNOWN, Codes, Spans

Encoded: TypeAlias = tuple[Codes, npt.NDArray[Any] | None]


def assemble(
    encoded: Iterable[Encoded],
    shape: tuple[int, int],
    n_entries: int,
    dtype: npt.DTypeLike,
) -> _core.Csr:
    """Return the matrix of shape (n_rows, n_outputs), without values if all of them are one.

    Parameters
    ----------
    encoded : iterable
        For each input column, what `Encoding.encode` returned, the values in `dtype`.
    shape : (int, int)
    n_entries : int
        How many entries a row has at most.
    dtype : float32 or float64
    """
    columns = np.empty((shape[0], n_entries), np.int32)
    values: npt.NDArray[Any] | None = None
    for position, (codes, numbers) in enumerate(_entry_by_entry(encoded)):
        columns[:, position] = codes
        if numbers is None and values is None:
            continue
        if values is None:
            values = np.ones(columns.shape, dtype)
        values[:, position] = 1 if numbers is None else numbers
        if numbers is not None:  # what is tiny may have become zero
            columns[numbers == 0, position] = NOTHING
    present = columns > NOTHING
    if present.all():
        indices, values = columns.ravel(), None if values is None else values.ravel()
    else:
        indices, values = columns[present], None if values is None else values[present]
    indptr = np.zeros(shape[0] + 1, np.int32 if len(indices) < 2**31 else np.int64)
    np.cumsum(np.count_nonzero(present, axis=1), out=indptr[1:])
    matrix = _core.Csr(indptr, indices, values, shape[1], "X")
    if matrix.canonical:
        return matrix
    # `partial_fit` has added output columns for input columns that are not the last.
    entries = np.zeros(len(indices), bool) if values is None else values
    unsorted = sp.csr_matrix((entries, indices, indptr), shape)
    unsorted.sort_indices()
    indices = unsorted.indices.astype(np.int32, copy=False)
    return _core.Csr(indptr, indices, None if values is None else unsorted.data, shape[1], "X")


def fields_of(spans: list[Spans]) -> npt.NDArray[np.intp]:
    """Return the input column of each output column; `spans` are those of each input column."""
    owner = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
    joined = np.concatenate([np.empty((0, 2), np.int64), *spans])
    order = np.argsort(joined[:, 0], kind="stable")
    return np.repeat(owner[order], np.diff(joined[order], axis=1).ravel())


def first_unknown(codes: Codes) -> int | None:
    """Return the first row that holds what training never saw."""
    unknown = (codes if codes.ndim == 1 else codes[:, 0]) == UNKNOWN  # the first entry tells
    return int(np.argmax(unknown)) if unknown.any() else None


def _entry_by_entry(encoded: Iterable[Encoded]) -> Iterator[Encoded]:
    """Yield one output column and value a row, also of columns that encode to several."""
    for codes, values in encoded:
        if codes.ndim == 1:
            yield codes, values
        else:
            parts = [None] * codes.shape[1] if values is None else list(values.T)
            yield from zip(codes.T, parts, strict=True)
