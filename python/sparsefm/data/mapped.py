"""Rows whose arrays are mapped from a file: their pages are read when needed, and given back.

Nothing here does anything to a matrix in memory.
"""

import ctypes
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.io.pieces import Mapping

ENTRIES_AT_ONCE = 1 << 20  # bounds the pages in memory, and temporary copies

Array = npt.NDArray[Any]


def mapping_of(array: Array | None) -> Mapping | None:
    """Return our own mapping that an array is in, None if there is none.

    A user's arrays may be in mappings, too; these may have been changed, and are left alone.
    """
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.obj if isinstance(owner, memoryview) else getattr(owner, "base", None)
    return owner if isinstance(owner, Mapping) else None


def is_mapped(X: _core.Csr) -> bool:
    """Return whether the rows of a matrix are in a file."""
    return mapping_of(X.indices) is not None


def release(X: _core.Csr) -> None:
    """Give back the memory of the pages that were read; they can be read again."""
    release_arrays(X.indptr, X.indices, X.values)


def release_arrays(*arrays: Array | None) -> None:
    """Give back the memory of what was read of the files that arrays are in."""
    if hasattr(mmap, "MADV_DONTNEED"):  # other systems do so when memory becomes scarce
        mappings = {id(found): found for array in arrays if (found := mapping_of(array))}
        for mapping in mappings.values():
            mapping.madvise(mmap.MADV_DONTNEED)


def trim_heap() -> None:
    """Have the C library give back freed memory that it keeps for later; glibc keeps much."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(ctypes.c_size_t(0))


def read_ahead(X: _core.Csr, begin: int, end: int) -> None:
    """Have the system read rows from `begin` to `end` before they are needed, without waiting."""
    if not hasattr(mmap, "MADV_WILLNEED"):
        return
    first, last = int(X.indptr[begin]), int(X.indptr[end])
    for array in (X.indices, X.values):
        mapping = mapping_of(array)
        if array is None or mapping is None or first == last:
            continue
        start = array.ctypes.data - np.frombuffer(mapping, np.uint8).ctypes.data
        place = start + first * array.itemsize
        page = place % mmap.PAGESIZE
        mapping.madvise(mmap.MADV_WILLNEED, place - page, (last - first) * array.itemsize + page)


def row_blocks(indptr: Array, entries: int = ENTRIES_AT_ONCE) -> Iterator[tuple[int, int]]:
    """Yield (begin, end) of consecutive rows with at most so many entries, or of one row."""
    begin, n_rows = 0, len(indptr) - 1
    while begin < n_rows:
        limit = int(indptr[begin]) + entries
        end = min(begin + entries, n_rows)  # rows without entries take memory, too
        end = begin + int(np.searchsorted(indptr[begin : end + 1], limit, "right")) - 1
        end = max(end, begin + 1)
        yield begin, end
        begin = end


def pieces(X: _core.Csr) -> Iterator[_core.Csr]:
    """Yield the rows of a matrix; those of a file in pieces that fit into memory."""
    if not is_mapped(X):
        yield X
        return
    for begin, end in row_blocks(X.indptr):
        place = slice(int(X.indptr[begin]), int(X.indptr[end]))
        indptr = X.indptr[begin : end + 1] - X.indptr[begin]
        values = None if X.values is None else X.values[place]
        yield _core.Csr(indptr, X.indices[place], values, X.n_features, "rows", X.all_ones)
        release(X)


def scanned(
    indptr: Array, indices: Array, values: Array | None, n_features: int, name: str
) -> _core.Csr:
    """Check the arrays of a matrix in a file piece by piece, and borrow them.

    Raises
    ------
    ValueError
        If they are no CSR matrix, or one that is not in canonical form.
    """
    all_ones = True
    size = len(indices)
    fits = values is None or len(values) == size
    if not fits or len(indptr) == 0 or indptr[0] != 0 or indptr[-1] != size:
        raise ValueError(f"{name} has rows that do not fit their entries")
    for begin, end in row_blocks(indptr):
        place = slice(int(indptr[begin]), int(indptr[end]))
        if not 0 <= place.start <= place.stop <= size:
            raise ValueError(f"{name} has rows that do not fit their entries")
        part = _core.Csr(
            indptr[begin : end + 1] - indptr[begin],
            indices[place],
            None if values is None else values[place],
            n_features,
            name,
        )
        if not part.canonical:
            raise ValueError(f"{name} has unsorted, duplicate or explicitly zero entries")
        all_ones = all_ones and part.all_ones
        release_arrays(indptr, indices, values)
    return _core.Csr(indptr, indices, values, n_features, name, all_ones)
