"""`read`: from sparse text files to a matrix with targets."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.csr import MAX_FEATURES, as_scipy
from sparsefm.data.validation import check_choice, check_dtype, check_integer
from sparsefm.errors import FileFormatError
from sparsefm.files.cache import check_type, is_file_of_rows, open_rows
from sparsefm.files.detecting import FORMATS, Form
from sparsefm.files.paths import as_paths
from sparsefm.files.rows import UNKNOWN, Expected, FieldTable, Rows
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
    expected = expected_of(dtype, zero_based, n_features, max_bad_lines)
    given = check_choice(format, "format", FORMATS)
    if any(map(is_file_of_rows, paths)):
        return _read_rows(paths, expected, given)
    rows = parse(paths, expected, threads, None if given == "auto" else given)
    begins_with_zero = rows.zero_based is not False
    return joined(rows, begins_with_zero, rows.n_features(begins_with_zero), threads)


def expected_of(dtype: Any, zero_based: Any, n_features: Any, max_bad_lines: Any) -> Expected:
    """Check the arguments of `read` that say what is expected."""
    return Expected(
        check_dtype(dtype),
        _check_base(zero_based),
        None if n_features is None else _check_width(n_features),
        check_integer(max_bad_lines, "max_bad_lines", 0),
    )


def parse(
    paths: list[str],
    expected: Expected,
    threads: int,
    format: str | None = None,
    fields: FieldTable | None = None,
) -> Rows:
    """Return the rows of files, which are not joined yet; `fields` may know some fields."""
    rows = Rows(expected, Form(format), fields or FieldTable())
    for path in paths:
        rows.add_file(path, threads)
    return rows


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


def check_fields(data: SparseData, known: npt.NDArray[Any] | None) -> None:
    """Refuse rows of libffm with features in other fields than `known`, which may be `UNKNOWN`."""
    fields = occurring_fields(data)
    if fields is None or known is None:
        return
    count = min(len(fields), len(known))
    fields, known = fields[:count], known[:count]
    wrong = np.flatnonzero((fields != known) & (fields != UNKNOWN) & (known != UNKNOWN))
    if len(wrong):
        feature = int(wrong[0])
        raise FileFormatError(
            f"index {feature + (not data.zero_based)} is in field {fields[feature]}, but was in "
            f"field {known[feature]} in the training; a feature must have one field"
        )


def _read_rows(paths: list[str], expected: Expected, format: str) -> SparseData:
    """Return the rows of a file that `convert` wrote."""
    if len(paths) > 1:
        raise ValueError("path names several files, one of which is a file of rows: name it alone")
    stored = open_rows(paths[0], mapped=False)
    about, width = stored.description, expected.n_features
    check_type(stored, expected.dtype)
    if format not in ("auto", about.format):
        raise ValueError(f"{paths[0]} was converted from the format {about.format!r}")
    if width is not None and width < about.n_features:
        raise ValueError(f"n_features is {width}, but {paths[0]} has {about.n_features} features")
    if expected.zero_based not in (None, about.zero_based):
        begin = 0 if about.zero_based else 1
        raise ValueError(f"{paths[0]} was converted from indices that begin with {begin}")
    X = as_scipy(stored.matrix(width or about.n_features), expected.dtype)
    fields = None
    if stored.fields is not None:
        fields = np.zeros(X.shape[1], np.int32)
        fields[: len(stored.fields)] = np.maximum(stored.fields, 0)
    rest = about.format, about.zero_based, about.n_bad_lines, stored.weights
    return SparseData(X, stored.y, stored.qid, fields, *rest)


def _check_base(zero_based: Any) -> bool | None:
    if isinstance(zero_based, str) and zero_based == "auto":
        return None
    if not isinstance(zero_based, bool | np.bool_):
        raise ValueError(f"zero_based must be True, False or 'auto', got {zero_based!r:.80}")
    return bool(zero_based)


def _check_width(n_features: Any) -> int:
    count = check_integer(n_features, "n_features", 1)
    if count > MAX_FEATURES:
        raise ValueError(f"n_features must be at most {MAX_FEATURES}, got {count}")
    return count
