"""Files of rows: what `convert` writes, and `train` keeps beside a text that exceeds its memory.

A file of rows is one of `sparsefm.io.file`, with the kind "rows". Its arrays are those of a CSR
matrix in canonical form, `indptr`, `indices` and `values` (none if all are one), the targets `y`,
and perhaps `weights` and `qid` of the rows and `fields` of the features.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.mapped import scanned
from sparsefm.errors import FileFormatError
from sparsefm.files.fields import UNKNOWN
from sparsefm.files.rows import Expected
from sparsefm.files.spool import Spool
from sparsefm.io.container import METADATA, Arrays
from sparsefm.io.file import read_file
from sparsefm.io.pieces import Pieces, read_mapped, read_written, write_pieces
from sparsefm.io.reader import Reader, naming
from sparsefm.io.replacing import FilePath, naming_folder, replacing

Array = npt.NDArray[Any]

KIND, MATRIX = "rows", "matrix"
START = f'{{"{METADATA}"'.encode()  # what stands after the length of the header


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
    format: str = MATRIX
    zero_based: bool = True
    lowest: int = -1
    n_bad_lines: int = 0
    sources: Any = None

    @property
    def begins_with_zero(self) -> bool | None:
        """Whether indices of the text began with 0; None: there are none."""
        return None if self.format == MATRIX or self.lowest < 0 else self.zero_based


@dataclass(frozen=True, eq=False)
class StoredRows:
    """The rows of a file.

    Attributes
    ----------
    name : str
        What errors call it: a path, or an argument.
    description : Description
    indptr, indices, values, y, weights, qid, fields : ndarray or None
    """

    name: str
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
        with naming(self.name):
            return scanned(self.indptr, self.indices, self.values, n_features, "X")

    @property
    def zero_based(self) -> bool | None:
        """Whether indices of the text began with 0; None: there are none."""
        return self.description.begins_with_zero

    def n_features(self, zero_based: bool) -> int:
        """Return the number of features; indices of files beside this one must begin alike."""
        if self.zero_based not in (None, zero_based):
            raise ValueError(
                f"{self.name} is a file of rows in which indices begin with "
                f"{0 if self.zero_based else 1}, but those of the other file do not: convert both "
                "with the same zero_based"
            )
        return self.description.n_features


def is_file_of_rows(path: str) -> bool:
    """Return whether a file looks like one of rows, or another one that this package wrote."""
    try:
        if not os.path.isfile(path):  # a pipe must not be read
            return False
        with open(path, "rb") as file:
            return file.read(8 + len(START))[8:] == START
    except OSError:
        return False


def write_rows(
    path: FilePath | None,
    spool: Spool,
    about: Description,
    fields: Array | None,
    *,
    name: str,
    folder: str | None = None,
    mode: int | None = None,
) -> StoredRows:
    """Write rows to a file, completely or not at all; return them from there, mapped.

    Parameters
    ----------
    path : str, path-like or None
        None: the file has no name, and is gone when the rows are.
    spool : Spool
        Its indices are those of the text.
    about : Description
    fields : ndarray of int32 or None
        Of each feature; `UNKNOWN` for one that does not occur.
    name : str
        What errors call the rows.
    folder : str, optional
        Of a file without a name.
    mode : int, optional
        Who may read the file.
    """
    arrays = spool.arrays(0 if about.zero_based else 1)
    if fields is not None:
        arrays["fields"] = Pieces(np.dtype(np.int32), len(fields), [fields])
    with ExitStack() as stack:
        file: BinaryIO
        if path is None:
            stack.enter_context(naming_folder(folder))
            file = stack.enter_context(tempfile.TemporaryFile(dir=folder))
        else:
            file = stack.enter_context(replacing(path))
            if mode is not None and hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        write_pieces(file, {"kind": KIND, **vars(about)}, arrays)
        if path is None or os.name == "posix":  # other systems rename no file that is mapped
            # Another process may replace the file at any time: what was written is what counts.
            content = read_written(file)
            return _stored_rows(name, content.header, content.arrays)
    return open_rows(os.fspath(path))


def open_rows(path: str, *, mapped: bool = True, name: str | None = None) -> StoredRows:
    """Return the rows of a file, whose checksum is checked.

    Parameters
    ----------
    path : str
    mapped : bool
        Whether arrays stay in the file, and are mapped into memory. It must then not be changed
        while they are in use.
    name : str, optional
        What errors call the rows later. Default: the path.

    Raises
    ------
    FileFormatError
        If it is damaged, from a newer version, or holds something else.
    """
    with naming(path):
        if not mapped:
            return _stored_rows(name or path, *read_file(path))
        content = read_mapped(path)
        return _stored_rows(name or path, content.header, content.arrays)


def open_expected(
    paths: list[str], expected: Expected, name: str, *, mapped: bool = True
) -> StoredRows:
    """Return the rows of a file that an argument names, which must be what is expected.

    Raises
    ------
    ValueError
        If they are something else, or there are other files beside it.
    """
    path = paths[0]
    if len(paths) > 1:
        raise ValueError(
            f"{name} names several files, one of which is a file of rows: pass its path alone"
        )
    stored = open_rows(path, mapped=mapped)
    about, width = stored.description, expected.n_features
    if stored.values is not None and stored.values.dtype != expected.dtype:
        raise ValueError(
            f"{path} holds values of {stored.values.dtype}: pass that as dtype, or convert "
            f"the data with dtype={expected.dtype.name!r}"
        )
    if expected.format not in (None, about.format):
        raise ValueError(f"{path} was converted from the format {about.format!r}")
    if width is not None and width < about.n_features:
        raise ValueError(f"n_features is {width}, but {path} has {about.n_features} features")
    if None not in (expected.zero_based, stored.zero_based) and (
        expected.zero_based != stored.zero_based
    ):
        begin = 0 if stored.zero_based else 1
        raise ValueError(f"{path} was converted from indices that begin with {begin}")
    return stored


def _stored_rows(name: str, header: dict[str, Any], arrays: Arrays) -> StoredRows:
    """Return the rows that the content of a file stands for."""
    reader = Reader(header, arrays)
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

    def optional(array: str, size: int | None, *dtypes: str) -> Array | None:
        return reader.array(array, (size,), dtypes) if reader.has_array(array) else None

    indices = reader.array("indices", (None,), ("int32",))
    stored = StoredRows(
        name,
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
