"""`read`: from sparse text files to a matrix with targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.csr import as_scipy
from sparsefm.data.validation import check_dtype
from sparsefm.files.cache import StoredRows, is_file_of_rows, open_expected
from sparsefm.files.fields import TRAINING, UNKNOWN, FieldTable, joined_fields
from sparsefm.files.paths import as_paths
from sparsefm.files.rows import Expected, Rows
from sparsefm.files.texts import SparseText
from sparsefm.threads import resolve_threads


@dataclass(frozen=True, eq=False, repr=False)
class SparseData:
    """Rows of sparse text files, as `read` returns them.

    Attributes
    ----------
    X : csr_matrix of shape (n_rows, n_features)
        With int32 indices that ascend in each row, and no stored zeros: `train` takes it without a
        copy.
    y : ndarray of float64, shape (n_rows,)
        The labels.
    qid : ndarray of int64, shape (n_rows,), or None
        The number of each row's query, if the files have them.
    fields : ndarray of int32, shape (n_features,), or None
        The field of each feature, if the format is libffm; 0 for a feature that does not occur.
    format : {"libsvm", "libffm", "matrix"}
        As given or detected; "matrix" if `convert` wrote the rows of a stream.
    zero_based : bool
        Whether the indices of the files begin with 0; as given or detected.
    n_bad_lines : int
        Lines that were left out.
    weights : ndarray of float64, shape (n_rows,), or None
        Those of a stream that had some.
    """

    X: sp.csr_matrix
    y: npt.NDArray[np.float64]
    qid: npt.NDArray[np.int64] | None
    fields: npt.NDArray[np.int32] | None
    format: str
    zero_based: bool
    n_bad_lines: int
    weights: npt.NDArray[np.float64] | None = None

    def __repr__(self) -> str:
        rows, features = self.X.shape
        begin = 0 if self.zero_based else 1
        left_out = f", {self.n_bad_lines} bad lines left out" if self.n_bad_lines else ""
        return (
            f"<SparseData: {rows} rows, {features} features, {self.X.nnz} values, {self.format}, "
            f"indices from {begin}{', qid' if self.qid is not None else ''}{left_out}>"
        )


def read(
    path: Any,
    format: str = "auto",
    *,
    zero_based: bool | str = "auto",
    n_features: int | None = None,
    dtype: str = "float32",
    max_bad_lines: int = 0,
    n_threads: int | None = None,
) -> SparseData:
    """Read sparse text files: libsvm, libFM or libffm.

    A line is ``label index:value ...`` or ``label field:index:value ...``, perhaps with ``qid:n``
    after the label. What follows ``#`` is a comment. An index without a value has the value 1. The
    result is the same, to the bit, on any number of threads.

    Parameters
    ----------
    path : str, path-like or list of them
        The files, whose rows follow one another in this order. A pattern such as ``"part-*"``
        stands for the files that match it, sorted by name. Files may be compressed by gzip, or by
        zstd (with the extra "zstd"); their first bytes tell. Or a file that `convert` wrote.
    format : {"auto", "libsvm", "libffm"}
        "auto": the first entry tells. libFM's format is that of libsvm.
    zero_based : {"auto"} or bool
        Whether indices begin with 0. "auto": they do if an index is 0, or if there is none; else
        they begin with 1, as scikit-learn has it. This is a guess for a file in which the first
        feature does not occur.
    n_features : int, optional
        The number of features. Default: as many as the largest index says.
    dtype : {"float32", "float64"}
        Type of the values; each is the nearest number to what is written.
    max_bad_lines : int
        How many malformed lines to leave out, with a warning to the logger "sparsefm".
    n_threads : int, optional
        Default: every core that the process may use.

    Returns
    -------
    SparseData

    Raises
    ------
    FileFormatError
        If a line is malformed, with the file, the line and the column (in bytes); if a file is
        damaged; or if a feature has two fields.
    MemoryError
        If the rows do not fit into memory.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import sparsefm as fm
    >>> with open("clicks.svm", "w") as file:
    ...     print("1 1:1 3:0.5", file=file)
    ...     print("0 2:1", file=file)
    >>> data = fm.read("clicks.svm")
    >>> data
    <SparseData: 2 rows, 3 features, 3 values, libsvm, indices from 1>
    >>> model = fm.train(data.X, data.y, task="binary")
    """
    paths, threads = as_paths(path, "path"), resolve_threads(n_threads)
    real = check_dtype(dtype)
    text = SparseText(
        path,
        format,
        zero_based=zero_based,
        n_features=n_features,
        max_bad_lines=max_bad_lines,
    )
    (data,) = read_together({"path": paths}, {"path": text._expected(real)}, threads).values()
    return data


def read_together(
    paths: Mapping[str, list[str]],
    expected: Mapping[str, Expected],
    threads: int,
    at_least: int = 0,
) -> dict[str, SparseData]:
    """Return the rows of several arguments, which have the same features.

    Those are as many as the largest index of all says. Indices begin with 0 in all or with 1 in
    all, and a feature has the same field in all.

    Parameters
    ----------
    paths, expected : mapping
        By the name of the argument.
    threads : int
    at_least : int
        Number of features, if no index says that there are more.
    """
    fields = FieldTable()
    parts: dict[str, Rows | StoredRows] = {}
    for name, files in paths.items():
        if any(map(is_file_of_rows, files)):
            parts[name] = stored = open_expected(files, expected[name], name, mapped=False)
            if stored.fields is not None:
                zero_based = stored.description.zero_based
                fields.join(stored.fields, zero_based=zero_based, name=files[0])
        else:
            parts[name] = rows = Rows(expected[name], fields)
            for path in files:
                rows.add_file(path, threads)
    zero_based = begin_with_zero(part.zero_based for part in parts.values())
    widths = [part.n_features(zero_based) for part in parts.values()]
    told = [one.n_features or 0 for one in expected.values()]
    n_features = max(at_least, *told, *widths)
    found = {}
    for name, part in parts.items():
        if isinstance(part, Rows):
            found[name] = joined(part, zero_based, n_features, threads)
        else:
            known = None
            if part.fields is not None:
                known = fields.of_features(n_features, zero_based=zero_based)
            found[name] = _read_rows(part, n_features, expected[name].dtype, known)
    return found


def begin_with_zero(known: Iterable[bool | None]) -> bool:
    """Return whether indices begin with 0, given what some texts tell; None: nothing."""
    found = set(known) - {None}
    return True in found or not found


def joined(rows: Rows, zero_based: bool, n_features: int, threads: int) -> SparseData:
    """Return the rows as data, and forget them."""
    X, y, qid, fields = rows.join(zero_based, n_features, threads)
    return SparseData(X, y, qid, fields, rows.form.format or "libsvm", zero_based, rows.n_bad_lines)


def occurring_fields(data: SparseData) -> npt.NDArray[np.int32] | None:
    """Return the fields of the features that occur, and `UNKNOWN` for others."""
    if data.fields is None:
        return None
    fields = np.full(len(data.fields), UNKNOWN, np.int32)
    fields[data.X.indices] = data.fields[data.X.indices]
    return fields


def check_fields(data: SparseData, known: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    """Return the fields that are known, with those of the rows; either may be None.

    Raises
    ------
    FileFormatError
        If a feature of the rows is in another field than `known`, where it is not `UNKNOWN`.
    """
    fields = occurring_fields(data)
    if fields is None or known is None:
        return known if fields is None else fields
    return joined_fields(known, fields, base=0 if data.zero_based else 1, source=TRAINING)


def _read_rows(
    stored: StoredRows,
    n_features: int,
    dtype: np.dtype[Any],
    fields: npt.NDArray[np.int32] | None,
) -> SparseData:
    """Return the rows of a file that `convert` wrote, with so many features."""
    about = stored.description
    rest = about.format, about.zero_based, about.n_bad_lines, stored.weights
    X = as_scipy(stored.matrix(n_features), dtype)
    return SparseData(X, stored.y, stored.qid, fields, *rest)
