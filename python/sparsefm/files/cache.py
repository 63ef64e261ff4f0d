"""Files of rows: what `convert` writes, and `train` keeps beside a text that exceeds its memory.

A file of rows is one of `sparsefm.io.file`, with the kind "rows". Its arrays are those of a CSR
matrix in canonical form, `indptr`, `indices` and `values` (none if all are one), the targets `y`,
and perhaps `weights` and `qid` of the rows and `fields` of the features.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.mapped import scanned
from sparsefm.errors import FileFormatError
from sparsefm.files.spool import Spool
from sparsefm.io.container import METADATA
from sparsefm.io.file import read_file
from sparsefm.io.pieces import Pieces, read_mapped, write_pieces
from sparsefm.io.reader import Reader, naming
from sparsefm.io.replacing import FilePath

Array = npt.NDArray[Any]

KIND = "rows"
START = f'{{"{METADATA}"'.encode()  # what stands after the length of the header
UNKNOWN = -1  # field of a feature


@dataclass(frozen=True)
class Description:
    """What a file of rows says of itself.

    Attributes
    ----------
    n_features : int
    format : str
        Of the text that the rows come from: "libsvm" or "libffm"; or "matrix".
    zero_based : bool
        Where the indices of the text begin. Those of the file begin with 0.
    lowest : int
        The smallest index of the text; -1 if there is none.
    n_bad_lines : int
    sources : list or None
        What the file was made from, as JSON values: if that changes, it is made anew. None: it
        stands for itself.
    """

    n_features: int
    format: str = "matrix"
    zero_based: bool = True
    lowest: int = -1
    n_bad_lines: int = 0
    sources: Any = None


@dataclass(frozen=True, eq=False)
class StoredRows:
    """The rows of a file.

    Attributes
    ----------
    path : str
    description : Description
    indptr, indices, values, y, weights, qid, fields : ndarray or None
    """

    path: str
    description: Description
    indptr: Array
    indices: Array
    values: Array | None
    y: Array
    weights: Array | None
    qid: Array | None
    fields: Array | None

    def matrix(self, n_features: int) -> _core.Csr:
        """Return the checked rows, with as many features as another file may say."""
        with naming(self.path):
            return scanned(self.indptr, self.indices, self.values, n_features, "X")


def is_file_of_rows(path: str) -> bool:
    """Return whether a file looks like one of rows, or another one that this package wrote."""
    try:
        if not os.path.isfile(path):  # a pipe must not be read
            return False
        with open(path, "rb") as file:
            return file.read(8 + len(START))[8:] == START
    except OSError:
        return False


def write_rows(path: FilePath, spool: Spool, about: Description, fields: Array | None) -> None:
    """Write rows to a file, completely or not at all.

    Parameters
    ----------
    path : str or path-like
    spool : Spool
        Its indices are those of the text.
    about : Description
    fields : ndarray of int32 or None
        Of each feature; `UNKNOWN` for one that does not occur.
    """
    arrays = spool.arrays(0 if about.zero_based else 1)
    if fields is not None:
        arrays["fields"] = Pieces(np.dtype(np.int32), len(fields), [fields])
    write_pieces(path, {"kind": KIND, **vars(about)}, arrays)


def open_rows(path: str, *, mapped: bool = True) -> StoredRows:
    """Return the rows of a file, whose checksum is checked.

    Parameters
    ----------
    path : str
    mapped : bool
        Whether arrays stay in the file, and are mapped into memory. It must then not be cut off
        while they are in use.

    Raises
    ------
    FileFormatError
        If it is damaged, from a newer version, or holds something else.
    """
    with naming(path):
        reader = Reader(*(read_mapped(path) if mapped else read_file(path)))
        kind = reader.entry("kind", str)
        if kind != KIND:
            raise FileFormatError(f"holds a {kind:.40}, and no rows: load it with sparsefm.load")
        about = Description(
            reader.integer("n_features", 0, 2**31 - 1),
            reader.entry("format", str),
            reader.entry("zero_based", bool),
            reader.integer("lowest", -1, 2**31 - 1),
            reader.integer("n_bad_lines", 0),
            reader.get("sources"),
        )
        y = reader.array("y", (None,), ("float64",))
        n = len(y)

        def optional(name: str, size: int | None, *dtypes: str) -> Array | None:
            return reader.array(name, (size,), dtypes) if reader.has_array(name) else None

        indices = reader.array("indices", (None,), ("int32",))
        stored = StoredRows(
            path,
            about,
            reader.array("indptr", (n + 1,), ("int64",)),
            indices,
            optional("values", len(indices), "float32", "float64"),
            y,
            optional("weights", n, "float64"),
            optional("qid", n, "int64"),
            optional("fields", None, "int32"),
        )
        if stored.fields is not None:
            _check_fields(stored.fields, about.n_features)
        reader.check_all_read()
    return stored


def _check_fields(fields: Array, n_features: int) -> None:
    if len(fields) > n_features:
        raise FileFormatError(f"has {len(fields)} fields of {n_features} features")
    if len(fields) and fields.min() < UNKNOWN:
        raise FileFormatError("has a negative field")
