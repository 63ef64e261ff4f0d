"""Rows on their way to a file: how many there will be is known at the end."""

import os
import tempfile
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sparsefm.io.container import bytes_of
from sparsefm.io.pieces import PIECE, Pieces
from sparsefm.io.replacing import naming_folder

Array = npt.NDArray[Any]


class Block(NamedTuple):
    """Some rows: the arrays of a CSR matrix in canonical form, and what belongs to each row."""

    indptr: Array
    indices: Array
    values: Array | None
    y: Array
    weights: Array | None = None
    qid: Array | None = None


class Column:
    """A one-dimensional array that grows in a temporary file."""

    def __init__(self, folder: str, dtype: Any) -> None:
        self.dtype, self.size = np.dtype(dtype), 0
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115

    def append(self, array: Array) -> None:
        """Append the entries of an array."""
        self._file.write(bytes_of(np.ascontiguousarray(array, self.dtype)))
        self.size += len(array)

    def pieces(self, change: Callable[[Array], Array] = lambda part: part) -> Pieces:
        """Return the array, perhaps with changed entries, to be written."""
        return Pieces(self.dtype, self.size, map(change, self._parts()))

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def _parts(self) -> Iterator[Array]:
        self._file.seek(0)
        count = PIECE // self.dtype.itemsize
        for _ in range(0, self.size, count):
            yield np.frombuffer(self._file.read(PIECE), self.dtype)


class Spool:
    """Rows that are appended to temporary files; a context manager that removes them.

    Parameters
    ----------
    folder : str
    dtype : dtype
        Of values.
    """

    def __init__(self, folder: str, dtype: np.dtype[Any]) -> None:
        self._columns: dict[str, Column] = {}
        self._folder = folder or os.curdir
        self._dtype = dtype
        self.n_rows = self.n_entries = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for column in self._columns.values():
            column.close()

    def append(self, rows: Block) -> None:
        """Append some rows."""
        with naming_folder(self._folder):
            self._append(rows)

    def _append(self, rows: Block) -> None:
        count, entries = len(rows.y), int(rows.indptr[-1])
        self._begin()
        self._column("indptr", np.int64).append(rows.indptr[1:] + np.int64(self.n_entries))
        self._column("indices", np.int32).append(rows.indices[:entries])
        self._column("y", np.float64).append(rows.y)
        if rows.qid is not None:
            self._column("qid", np.int64).append(rows.qid)
        self._append_or_ones("weights", np.float64, rows.weights, count, self.n_rows)
        values = None if rows.values is None else rows.values[:entries]
        if values is not None and (values == 1).all():
            values = None
        self._append_or_ones("values", self._dtype, values, entries, self.n_entries)
        self.n_rows, self.n_entries = self.n_rows + count, self.n_entries + entries

    def arrays(self, base: int = 0) -> dict[str, Pieces]:
        """Return all arrays, to be written; indices count from `base`."""
        with naming_folder(self._folder):
            self._begin()
        columns = {name: column.pieces() for name, column in self._columns.items()}
        if base:
            columns["indices"] = self._columns["indices"].pieces(lambda part: part - base)
        return columns

    def _begin(self) -> None:
        """Make the columns that there always are."""
        if "indptr" not in self._columns:
            self._column("indptr", np.int64).append(np.zeros(1))
            self._column("indices", np.int32)
            self._column("y", np.float64)

    def _append_or_ones(
        self, name: str, dtype: Any, array: Array | None, count: int, before: int
    ) -> None:
        """Append an array; None stands for ones, which need no column before there are others."""
        if array is None and name not in self._columns:
            return
        if name not in self._columns:
            column = self._column(name, dtype)
            for begin in range(0, before, PIECE):
                column.append(np.ones(min(PIECE, before - begin)))
        self._columns[name].append(np.ones(count) if array is None else array)

    def _column(self, name: str, dtype: Any) -> Column:
        if name not in self._columns:
            self._columns[name] = Column(self._folder, dtype)
        return self._columns[name]
