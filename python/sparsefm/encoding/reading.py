"""What users pass as X: a table, a dense array or a sparse matrix, checked as scikit-learn does.

scikit-learn's own checks take longer than a row of a table. They run when something is wrong, or
new, and find the words.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils import check_array

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.validation import read_array, unmasked
from sparsefm.encoding.columns import as_numbers, check_kind
from sparsefm.encoding.libraries import as_table
from sparsefm.encoding.names import Names, check_names, made_up
from sparsefm.encoding.objects import array_table, list_parts, no_lists, record_table
from sparsefm.encoding.table import Table
from sparsefm.encoding.tables import Column, Numbers, as_finite
from sparsefm.encoding.times import read_dates, read_durations
from sparsefm.io.labels import NUMBERS

FAST = set(NUMBERS)  # types of arrays that are taken as they are


@dataclass(frozen=True, eq=False)
class Input:
    """A checked X of shape (n, m).

    Attributes
    ----------
    data : Table, ndarray or Csr
    shape : (int, int)
    names : Names or None
        Those of a table, or those of the fit for an array or a sparse matrix.
    weights : mapping of int to int
        From the positions of columns of lists to those of the columns of their weights.
    separators : mapping of int to str
        What divides text into lists, in the columns at these positions.
    held : sequence of str or None
        What the first columns that are fields held in training, None where it is not known.
    kept : list of Column, optional
        The columns, if they have been read already.
    """

    data: Any
    shape: tuple[int, int]
    names: Names | None
    weights: Mapping[int, int] = field(default_factory=dict)
    separators: Mapping[int, str] = field(default_factory=dict)
    held: Sequence[str | None] = ()
    kept: list[Column] | None = None

    @property
    def is_sparse(self) -> bool:
        """Whether it is a sparse matrix."""
        return isinstance(self.data, _core.Csr)

    @property
    def column_names(self) -> list[str]:
        """The columns' names, made up where there are none."""
        return column_names(self.names, self.shape[1])

    @property
    def field_positions(self) -> list[int]:
        """The positions of the columns that are fields: all but the weights of lists."""
        return field_positions(self.shape[1], self.weights)

    @property
    def field_names(self) -> list[str]:
        """Their names."""
        names = self.column_names
        return [names[position] for position in self.field_positions] if self.weights else names

    def columns(self, *, last: bool = False) -> Iterator[Column]:
        """Yield the columns that are fields, one at a time; lists have their weights with them.

        The last time, none of them is kept any longer.

        Raises
        ------
        TypeError
            If one holds something else than in training, in another unit.
        """
        if self.kept is not None:
            while last and self.kept:
                yield self.kept.pop(0)
            yield from self.kept
            return
        names = self.field_names
        for place, column in enumerate(self._read()):
            if place < len(self.held):
                check_kind(self.held[place], column, names[place])
            yield column

    def _read(self) -> Iterator[Column]:
        """Yield the columns that are fields, as they are."""
        if self.is_sparse:
            by_column = as_scipy(self.data).tocsc()
            for position in range(self.shape[1]):
                yield Numbers(by_column[:, [position]].toarray().ravel())
        elif isinstance(self.data, Table):
            yield from self.data.columns(self.column_names, self.weights, self.separators)
        else:
            names = self.column_names
            for position in self.weights:
                raise no_lists(names[position], "numbers")
            for position in range(self.shape[1]):
                numbers = self.data[:, position]
                are_integers = numbers.dtype.kind in "iu" and numbers.dtype.itemsize == 8
                yield as_finite(numbers, names[position], numbers.copy if are_integers else None)

    def keeping(self) -> "Input":
        """Return the same, its columns read once for all."""
        return self if self.is_sparse else replace(self, kept=list(self.columns()))

    def only(self, row: int) -> "Input":
        """Return the same with one row alone; the others are not read."""
        data: Any = self.data
        if isinstance(data, _core.Csr):
            data = _as_csr(as_scipy(data)[[row]])
        else:
            data = data.only(row) if isinstance(data, Table) else data[[row]]
        return replace(self, data=data, shape=(1, self.shape[1]))

    def as_csr(self) -> _core.Csr:
        """Return the numbers as they are, in a sparse matrix."""
        if isinstance(self.data, _core.Csr):
            return self.data
        parts = [
            as_numbers(column, name).values
            for column, name in zip(self.columns(), self.field_names, strict=True)
        ]
        dense = np.column_stack(parts)
        if np.isnan(dense).any():
            raise ValueError(
                "Input X contains NaN: an encoder that was fitted with a sparse matrix knows no "
                "missing values"
            )
        return as_csr(dense, np.float64)


def column_names(names: Names | None, n_columns: int) -> list[str]:
    """Return the names of columns, made up where there are none."""
    return made_up(n_columns) if names is None or names.are_numbering else names.texts


def field_positions(n_columns: int, weights: Mapping[int, int]) -> list[int]:
    """Return the positions of the columns that are fields: all but the weights of lists."""
    used = set(weights.values())
    return [position for position in range(n_columns) if position not in used]


def read(
    X: Any, owner: Any, known: Names | None = None, *, reset: bool = False, extend: bool = False
) -> Input:
    """Check `X` in the name of the estimator `owner`.

    Parameters
    ----------
    X : table, list of dicts, array-like or sparse matrix
    owner : estimator
        Unless `reset`, `X` must have the number of its columns.
    known : Names, optional
        Those of the fit; unless `reset`, `X` must have them.
    reset : bool
    extend : bool
        Whether there may be more columns after those of `owner`.
    """
    X = unmasked(X, "X")
    known = None if reset else known
    data: Any = _as_csr(X) if sp.issparse(X) else as_table(X)
    if data is None:
        data = _as_array(X, owner, known)
    shape = (data.n_rows, data.n_features) if isinstance(data, _core.Csr) else tuple(data.shape)
    _require_content(shape, owner)
    found = data.names if isinstance(data, Table) else None
    if reset:
        return Input(data, shape, found)
    n_known, name = owner.n_features_in_, type(owner).__name__
    if extend and shape[1] > n_known and _extends(known, found):
        return Input(data, shape, found)
    check_names(known, found, name, extend=extend)
    if shape[1] != n_known:
        raise ValueError(
            f"X has {shape[1]} features, but {name} is expecting {n_known} features as input."
        )
    return Input(data, shape, known)


def _extends(known: Names | None, found: Names | None) -> bool:
    """Return whether a table with more columns begins with the known ones."""
    return known is None or (found is not None and known.begins(found))


def _as_csr(X: Any) -> _core.Csr:
    """Return a sparse matrix with the values that it has, borrowed if it is canonical CSR.

    scikit-learn's own check would convert it before anybody looks at it.
    """
    single = getattr(X, "dtype", None) == np.float32
    return as_csr(X, np.float32 if single else np.float64)


def _as_array(X: Any, owner: Any, known: Names | None) -> npt.NDArray[Any] | Table:
    """Return a dense array of numbers, not copied if it is one; or text and objects as a table."""
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.name in FAST and not np.isinf(X).any():
        return X
    if isinstance(X, Mapping):
        raise TypeError("X is a dict: pass [X] if it is a row, pandas.DataFrame(X) if of columns")
    if isinstance(X, Iterator):
        raise TypeError(f"X is an iterator ({type(X).__name__}): pass list(X)")
    if _has_records(X):
        return record_table(list(X), known)
    array = _unchecked(X)
    if array.dtype.names is not None:
        raise ValueError("X is a structured array: pass pandas.DataFrame(X)")
    if array.ndim != 2:
        if type(X).__name__ == "Series":
            raise ValueError(
                "X must be two-dimensional. Expected 2D array, got a Series instead. Reshape your "
                "data: X.to_frame() is one column, and table.iloc[[0]] is one row of a table"
            )
        found = "scalar" if array.ndim == 0 else f"{array.ndim}D"
        raise ValueError(
            f"X must be two-dimensional. Expected 2D array, got {found} array instead, of shape "
            f"{array.shape}. Reshape your data: X.reshape(-1, 1) is one column of it, "
            "X.reshape(1, -1) is one row"
        )
    if array.dtype.kind in "OUTS":
        return array_table(array)
    if array.dtype.kind in "mM":
        read_column = read_dates if array.dtype.kind == "M" else read_durations
        return Table(list(array.T), None, array.shape, read_column, list_parts)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X holds {array.dtype}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"X must hold numbers or text, got dtype {array.dtype}")
    if array.dtype == np.longdouble:
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    _require_content(array.shape, owner)
    checked: npt.NDArray[Any] = check_array(
        array,
        dtype="numeric",
        ensure_all_finite="allow-nan",
        estimator=owner,
        input_name="X",
    )
    return checked


def _has_records(X: Any) -> bool:
    """Return whether rows are dicts, in a list or, as scikit-learn hands them on, in an array."""
    is_array = isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype == object
    return (is_array or isinstance(X, list | tuple)) and len(X) > 0 and isinstance(X[0], Mapping)


def _unchecked(X: Any) -> npt.NDArray[Any]:
    """Return an array; what text there is beside numbers in rows does not make them text."""
    try:
        array = read_array(X, "X")
    except ValueError:
        array = read_array(X, "X", object)
        if array.ndim != 2:  # no rows of one length, of which some cells are lists
            raise
    if array.dtype.kind not in "US":
        return array
    if array.ndim == 3 and isinstance(X, list | tuple) and isinstance(X[0][0], list | tuple):
        return _cells(X, array.shape[:2])
    return read_array(X, "X", object)


def _cells(X: Any, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return rows of lists that happen to be of one length, each list in a cell."""
    cells = np.empty(shape, object)
    for row, values in enumerate(X):
        for column, value in enumerate(values):
            cells[row, column] = value
    return cells


def _require_content(shape: tuple[int, ...], owner: Any) -> None:
    """Refuse an empty table in scikit-learn's words."""
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if size == 0:
            raise ValueError(
                f"X is empty: Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is "
                f"required by {type(owner).__name__}."
            )
