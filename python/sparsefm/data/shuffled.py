"""The rows of a file in another order, as a file: batches of it are consecutive pieces.

This is a distribution sort, which reads and writes every row twice, whatever the size of the file.
A bucket is a piece of the result. First the rows are read in the order of the file, and each is
appended to its bucket. Then each bucket, which fits into memory, is put in order.
"""

import mmap
import tempfile
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.mapped import ENTRIES_AT_ONCE, release, row_blocks
from sparsefm.io.container import bytes_of
from sparsefm.io.pieces import Mapping
from sparsefm.io.replacing import naming_folder

Array = npt.NDArray[Any]
RowNumbers = npt.NDArray[np.int64]

ROWS_AT_ONCE = 1 << 20


def in_order(
    X: _core.Csr, rows: RowNumbers, folder: str | None, entries: int = ENTRIES_AT_ONCE
) -> _core.Csr:
    """Return some rows of a mapped matrix, each once, in another order, mapped from a new file.

    The file has no name, and is gone when the matrix is.

    Parameters
    ----------
    X : Csr
    rows : ndarray of int64
    folder : str or None
        Of the file. None: that of temporary files.
    entries : int
        Of a bucket, if not of one row.
    """
    indptr = np.zeros(len(rows) + 1, np.int64)
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        indptr[begin + 1 : begin + 1 + len(part)] = X.indptr[part + 1] - X.indptr[part]
        release(X)
    np.cumsum(indptr, out=indptr)
    buckets = list(row_blocks(indptr, entries))
    with naming_folder(folder), tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        sections = _Sections(file, indptr, X)
        _distribute(X, rows, buckets, indptr, sections)
        for begin, end in buckets:
            _put_in_order(rows[begin:end], indptr[begin : end + 1], sections)
        matrix = sections.matrix(X.n_features)
        release(matrix)  # whose rows were counted
        return matrix


class _Sections:
    """The arrays of a CSR matrix in a file.

    Parameters
    ----------
    file : binary file
        Empty.
    indptr : ndarray of int64
    like : Csr
        It has values, or none, of the same type.
    """

    def __init__(self, file: BinaryIO, indptr: Array, like: _core.Csr) -> None:
        self._file, self._indptr = file, indptr
        count = int(indptr[-1])
        self.dtypes = [np.dtype(np.int32)]
        if not (like.values is None or like.all_ones):
            self.dtypes.insert(0, like.values.dtype)
        self._starts, place = [], indptr.nbytes
        for dtype in self.dtypes:
            self._starts.append(place)
            place += count * dtype.itemsize
        file.truncate(place)  # holes of a full disk are found later, by writing
        self._write(0, indptr)

    def write(self, place: int, arrays: list[Array]) -> None:
        """Write entries, of which the first has the number `place`."""
        for start, array in zip(self._starts, arrays, strict=True):
            self._write(start + place * array.itemsize, array)

    def read(self, place: int, count: int) -> list[Array]:
        """Read some entries."""
        arrays = []
        for start, dtype in zip(self._starts, self.dtypes, strict=True):
            array = np.empty(count, dtype)
            self._file.seek(start + place * dtype.itemsize)
            room = array.view(np.uint8).data
            while room:
                done = self._file.readinto(room)  # type: ignore[attr-defined]
                if not done:
                    raise OSError("a temporary file was cut off")
                room = room[done:]
            arrays.append(array)
        return arrays

    def matrix(self, n_features: int) -> _core.Csr:
        """Return the matrix, mapped from the file."""
        count = int(self._indptr[-1])
        whole = Mapping(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        indptr = np.frombuffer(whole, np.int64, len(self._indptr))
        arrays = [
            np.frombuffer(whole, dtype, count, start) if count else np.empty(0, dtype)
            for dtype, start in zip(self.dtypes, self._starts, strict=True)
        ]
        values = arrays[0] if len(arrays) > 1 else None
        return _core.Csr(indptr, arrays[-1], values, n_features, "rows", values is None)

    def _write(self, place: int, array: Array) -> None:
        self._file.seek(place)
        left = memoryview(bytes_of(array))
        while left:
            left = left[self._file.write(left) :]


def _distribute(
    X: _core.Csr,
    rows: RowNumbers,
    buckets: list[tuple[int, int]],
    indptr: Array,
    sections: _Sections,
) -> None:
    """Append each row to its bucket, in the order of X."""
    few = len(buckets) < np.iinfo(np.int16).max
    # The last number is that of rows that are left out.
    bucket_of = np.full(X.n_rows, len(buckets), np.int16 if few else np.int32)
    for number, (begin, end) in enumerate(buckets):
        bucket_of[rows[begin:end]] = number
    places = indptr[[begin for begin, _ in buckets]]
    for begin, end in row_blocks(X.indptr):
        here = bucket_of[begin:end]
        order = np.argsort(here, kind="stable")
        taken, ends = _gather(X, begin + order)
        cuts = np.searchsorted(here[order], np.arange(len(buckets) + 1))
        for number in np.flatnonzero(np.diff(cuts)).tolist():
            part = slice(ends[cuts[number]], ends[cuts[number + 1]])
            sections.write(int(places[number]), [array[part] for array in taken])
            places[number] += part.stop - part.start
        release(X)


def _put_in_order(rows: RowNumbers, indptr: Array, sections: _Sections) -> None:
    """Order the rows of a bucket, which are in that of their numbers."""
    first, count = int(indptr[0]), int(indptr[-1] - indptr[0])
    order = np.argsort(rows)  # of the result, as it is now
    lengths = np.diff(indptr)
    begin = np.empty(len(rows), np.int64)
    begin[order] = np.cumsum(lengths[order]) - lengths[order]
    places = _places(begin, lengths)
    sections.write(first, [array[places] for array in sections.read(first, count)])


def _gather(X: _core.Csr, rows: RowNumbers) -> tuple[list[Array], Array]:
    """Return the entries of some rows: values, unless all are one, and columns; and their ends."""
    begin = X.indptr[rows].astype(np.int64)
    lengths = X.indptr[rows + 1] - begin
    places = _places(begin, lengths)
    arrays = [X.indices[places]]
    if not (X.values is None or X.all_ones):
        arrays.insert(0, X.values[places])
    return arrays, np.concatenate([[0], np.cumsum(lengths)])


def _places(begin: Array, lengths: Array) -> Array:
    """Return the places of entries, given where each row begins and how many it has."""
    shift = begin - (np.cumsum(lengths) - lengths)
    return np.repeat(shift, lengths) + np.arange(lengths.sum())
