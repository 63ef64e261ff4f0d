"""What users pass as X: a table, a dense array or a sparse matrix, checked as scikit-learn does.

scikit-learn's own checks take longer than a row of a table. They run when something is wrong, or
new, and find the words.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from sparsefm import _core
from sparsefm.data.csr import as_csr, as_scipy
from sparsefm.data.validation import unmasked
from sparsefm.encoding.columns import as_numbers
from sparsefm.encoding.libraries import Table, as_table
from sparsefm.encoding.tables import Column, Numbers


@dataclass(frozen=True, eq=False)
class Input:
    """A checked X of shape (n, m).

    Attributes
    ----------
    data : Table, ndarray or Csr
    shape : (int, int)
    names : ndarray of str, shape (m,), or None
        What scikit-learn calls ``feature_names_in_``.
    kept : list of Numbers or Labels, optional
        The columns, if they have been read already.
    """

    data: Any
    shape: tuple[int, int]
    names: npt.NDArray[np.object_] | None
    kept: list[Column] | None = None

    @property
    def is_sparse(self) -> bool:
        """Whether it is a sparse matrix."""
        return isinstance(self.data, _core.Csr)

    @property
    def field_names(self) -> list[str]:
        """The columns' names, made up where there are none."""
        return field_names(self.names, self.shape[1])

    def columns(self) -> Iterator[Column]:
        """Yield the columns, one at a time."""
        if self.kept is not None:
            yield from self.kept
        elif self.is_sparse:
            by_column = as_scipy(self.data).tocsc()
            for position in range(self.shape[1]):
                yield Numbers(by_column[:, [position]].toarray().ravel())
        elif isinstance(self.data, Table):
            yield from self.data.columns(self.field_names)
        else:
            for position in range(self.shape[1]):
                yield Numbers(self.data[:, position].astype(np.float64))

    def keeping(self) -> "Input":
        """Return the same, its columns read once for all."""
        return self if self.is_sparse else replace(self, kept=list(self.columns()))

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


def field_names(names: npt.NDArray[np.object_] | None, n_columns: int) -> list[str]:
    """Return the names of columns, made up where there are none."""
    return [f"x{column}" for column in range(n_columns)] if names is None else list(names)


def read(X: Any, owner: Any, *, reset: bool = False, extend: bool = False) -> Input:
    """Check `X` in the name of the estimator `owner`, which is not changed.

    Parameters
    ----------
    X : table, array-like or sparse matrix
    owner : estimator
        Unless `reset`, `X` must have the number and names of its columns.
    reset : bool
    extend : bool
        Whether there may be more columns after those of `owner`.
    """
    X = unmasked(X, "X")
    data: Any = as_table(X)
    if data is None:
        data = _as_csr(X, owner) if sp.issparse(X) else _as_array(X, owner)
    shape = (data.n_rows, data.n_features) if isinstance(data, _core.Csr) else tuple(data.shape)
    _require_content(shape, owner)
    names = getattr(owner, "feature_names_in_", None)
    known = None if names is None else names.tolist()
    found = data.names if isinstance(data, Table) else None
    if extend and shape[1] > owner.n_features_in_:
        reset = known is None or (found is not None and found[: len(known)] == known)
    if reset or found != known or shape[1] != owner.n_features_in_:
        witness = copy.copy(owner)  # scikit-learn writes to it
        validate_data(witness, X, reset=reset, skip_check_array=True)
        names = getattr(witness, "feature_names_in_", None)
    return Input(data, shape, names)


def _as_csr(X: Any, owner: Any) -> _core.Csr:
    """Return a sparse matrix with the values that it has, borrowed if it is canonical CSR."""
    try:
        return as_csr(X, np.float32 if X.dtype == np.float32 else np.float64)
    except (TypeError, ValueError):
        check_array(X, accept_sparse="csr", estimator=owner, input_name="X")
        raise


def _as_array(X: Any, owner: Any) -> npt.NDArray[Any]:
    """Return a dense array of numbers, not copied if it is one."""
    if type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind in "fiub" and not np.isinf(X).any():
        return X
    checked = check_array(X, ensure_all_finite="allow-nan", estimator=owner, input_name="X")
    return np.asarray(checked)


def _require_content(shape: tuple[int, ...], owner: Any) -> None:
    """Refuse an empty table in scikit-learn's words."""
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required "
                f"by {type(owner).__name__}."
            )
