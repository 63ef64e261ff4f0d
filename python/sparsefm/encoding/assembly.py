"""From encoded columns, side by side, to one CSR matrix."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.encoding.columns import NOTHING, UNKNOWN, Codes, Encoded, Encoding, Ragged, Spans
from sparsefm.encoding.reading import Input

Offsets = npt.NDArray[np.int64]

ROWS_AT_ONCE = 1 << 14  # bounds temporary arrays


def encode(
    data: Input, encodings: list[Encoding], dtype: npt.DTypeLike, *, strict: bool
) -> Iterator[Encoded]:
    """Yield what each column encodes to, the values in `dtype`.

    Raises
    ------
    ValueError
        If a value is too far from the training data for `dtype`, or, with `strict`, is unknown.
    """
    columns = data.columns(last=True)
    for column, encoding, name in zip(columns, encodings, data.field_names, strict=True):
        encoded = encoding.encode(column, name)
        row = first_unknown(encoded) if strict else None
        if row is not None:
            raise ValueError(
                f"column {name!r} holds {column.show(row)} in row {row}, which training never "
                "saw: train with it, or use unknown='ignore'"
            )
        encoded, row = in_dtype(encoded, dtype)
        if row is not None:
            raise ValueError(
                f"column {name!r} holds {column.show(row)} in row {row}, too far from the "
                f"training data for {np.dtype(dtype)}"
            )
        yield encoded


def assemble(
    encoded: Iterable[Encoded],
    shape: tuple[int, int],
    n_entries: list[int],
    dtype: npt.DTypeLike,
) -> _core.Csr:
    """Return the matrix of shape (n_rows, n_outputs), without values if all of them are one.

    Parameters
    ----------
    encoded : iterable
        For each input column, what `Encoding.encode` returned, the values in `dtype`.
    shape : (int, int)
    n_entries : list of int
        For each input column, how many entries a row has at most; 0 if they are ragged.
    dtype : float32 or float64
    """
    columns, parts = iter(encoded), []
    for are_ragged, run in groupby(n_entries, lambda count: count == 0):
        counts = list(run)
        some = islice(columns, len(counts))
        if are_ragged:
            parts += [_without_zeros(part) for part in some if isinstance(part, Ragged)]
        else:
            parts.append(_side_by_side(some, (shape[0], sum(counts)), dtype))
    whole = parts[0] if len(parts) == 1 else _merged(parts, shape[0], dtype)
    indptr = whole.indptr.astype(np.int32 if len(whole.columns) < 2**31 else np.int64)
    matrix = _core.Csr(indptr, whole.columns, whole.values, shape[1], "X")
    if matrix.canonical:
        return matrix
    # `partial_fit` has added output columns for input columns that are not the last.
    values = whole.values
    entries = np.zeros(len(whole.columns), bool) if values is None else values
    unsorted = sp.csr_matrix((entries, whole.columns, indptr), shape)
    unsorted.sort_indices()
    indices = unsorted.indices.astype(np.int32, copy=False)
    return _core.Csr(indptr, indices, None if values is None else unsorted.data, shape[1], "X")


def fields_of(spans: list[Spans]) -> npt.NDArray[np.intp]:
    """Return the input column of each output column; `spans` are those of each input column."""
    owner = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
    joined = np.concatenate([np.empty((0, 2), np.int64), *spans])
    order = np.argsort(joined[:, 0], kind="stable")
    return np.repeat(owner[order], np.diff(joined[order], axis=1).ravel())


def first_unknown(encoded: Encoded) -> int | None:
    """Return the first row that holds what training never saw."""
    if isinstance(encoded, Ragged):
        return encoded.unknown
    codes = encoded[0]
    unknown = codes == UNKNOWN if codes.ndim == 1 else (codes == UNKNOWN).any(axis=1)
    return int(np.argmax(unknown)) if unknown.any() else None


def in_dtype(encoded: Encoded, dtype: npt.DTypeLike) -> tuple[Encoded, int | None]:
    """Return the same with values of another dtype, and the first row where one is not finite."""
    values = encoded.values if isinstance(encoded, Ragged) else encoded[1]
    if values is None:
        return encoded, None
    with np.errstate(over="ignore", under="ignore"):
        cast = values.astype(dtype)
    row = None
    if cast.size and not np.isfinite([cast.min(), cast.max()]).all():
        row = int(np.argwhere(~np.isfinite(cast))[0, 0])
    if not isinstance(encoded, Ragged):
        return (encoded[0], cast), row
    if row is not None:
        row = int(np.searchsorted(encoded.indptr, row, side="right")) - 1
    return replace(encoded, values=cast), row


def _side_by_side(
    encoded: Iterable[Encoded], shape: tuple[int, int], dtype: npt.DTypeLike
) -> Ragged:
    """Join columns that encode to a fixed number of entries, `shape` (n_rows, n_entries) in all."""
    columns = np.empty(shape, np.int32)
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
    indptr = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.count_nonzero(present, axis=1), out=indptr[1:])
    if present.all():
        return Ragged(indptr, columns.ravel(), None if values is None else values.ravel())
    return Ragged(indptr, columns[present], None if values is None else values[present])


def _entry_by_entry(
    encoded: Iterable[Encoded],
) -> Iterator[tuple[Codes, npt.NDArray[Any] | None]]:
    """Yield one output column and value a row, also of columns that encode to several."""
    for column in encoded:
        assert not isinstance(column, Ragged)
        codes, values = column
        if codes.ndim == 1:
            yield codes, values
        else:
            parts = [None] * codes.shape[1] if values is None else list(values.T)
            yield from zip(codes.T, parts, strict=True)


def _without_zeros(part: Ragged) -> Ragged:
    """Return the entries that are not zero: what is tiny may have become that."""
    if part.values is None or part.values.all():
        return part
    present = part.values != 0
    indptr = np.append(0, np.cumsum(present))[part.indptr]
    return Ragged(indptr, part.columns[present], part.values[present])


def _merged(parts: list[Ragged], n_rows: int, dtype: npt.DTypeLike) -> Ragged:
    """Return the entries of each row, part after part."""
    indptr = np.sum([part.indptr for part in parts], axis=0)
    columns = np.empty(indptr[-1], np.int32)
    are_ones = all(part.values is None for part in parts)
    values = None if are_ones else np.ones(indptr[-1], dtype)
    for begin in range(0, n_rows, ROWS_AT_ONCE):
        rows = slice(begin, min(begin + ROWS_AT_ONCE, n_rows))
        free = indptr[rows].copy()  # the next place of each row
        for part in parts:
            own = part.indptr[rows.start : rows.stop + 1]
            entries, lengths = slice(own[0], own[-1]), np.diff(own)
            places = np.arange(own[0], own[-1]) + np.repeat(free - own[:-1], lengths)
            columns[places] = part.columns[entries]
            if values is not None and part.values is not None:
                values[places] = part.values[entries]
            free += lengths
    return Ragged(indptr, columns, values)
