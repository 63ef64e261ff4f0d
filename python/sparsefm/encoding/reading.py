"""What users pass as X: a table, a dense array or a sparse matrix, checked as scikit-learn does."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from sparsefm.data.csr import MAX_FEATURES
from sparsefm.encoding.columns import as_numbers
from sparsefm.encoding.tables import Column, Numbers, as_table, read_column


@dataclass(frozen=True, eq=False)
class Input:
    """A checked X of shape (n, m).

    Attributes
    ----------
    data : narwhals data frame, ndarray or csr_matrix
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
        return bool(sp.issparse(self.data))

    @property
    def field_names(self) -> list[str]:
        """The columns' names, made up where there are none."""
        return field_names(self.names, self.shape[1])

    def columns(self) -> Iterator[Column]:
        """Yield the columns, one at a time."""
        if self.kept is not None:
            yield from self.kept
        elif self.is_sparse:
            by_column = self.data.tocsc()
            for position in range(self.shape[1]):
                yield Numbers(by_column[:, [position]].toarray().ravel().astype(np.float64))
        elif isinstance(self.data, np.ndarray):
            for position in range(self.shape[1]):
                yield Numbers(self.data[:, position].astype(np.float64))
        else:
            for series, name in zip(self.data.iter_columns(), self.field_names, strict=True):
                yield read_column(series, name)

    def keeping(self) -> "Input":
        """Return the same, its columns read once for all."""
        return self if self.is_sparse else replace(self, kept=list(self.columns()))

    def as_csr(self) -> sp.csr_matrix:
        """Return the numbers as they are, in a sparse matrix."""
        if self.is_sparse:
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
        return sp.csr_matrix(dense)


def field_names(names: npt.NDArray[np.object_] | None, n_columns: int) -> list[str]:
    """Return the names of columns, made up where there are none."""
    return [f"x{column}" for column in range(n_columns)] if names is None else list(names)


def read(X: Any, owner: Any, *, reset: bool) -> Input:
    """Check `X` in the name of the estimator `owner`, which is not changed.

    Parameters
    ----------
    X : table, array-like or sparse matrix
    owner : estimator
        Unless `reset`, `X` must have the number and names of its columns.
    reset : bool
    """
    witness = copy.copy(owner)  # scikit-learn writes to it before all is checked
    table = as_table(X)
    if table is None:
        finite: bool | str = True if sp.issparse(X) else "allow-nan"
        data = validate_data(witness, X, reset=reset, accept_sparse="csr", ensure_all_finite=finite)
        if sp.issparse(data):
            data = _int32(data)
    else:
        data = table
        _require_content(table.shape, owner)
        validate_data(witness, X, reset=reset, skip_check_array=True)
    names = getattr(witness, "feature_names_in_", None)
    return Input(data, tuple(data.shape), names)


def extends(X: Any, owner: Any) -> bool:
    """Return whether `X` has the columns that `owner` knows, and more after them."""
    table = as_table(X)
    names = getattr(owner, "feature_names_in_", None)
    if table is not None and names is not None:
        return len(table.columns) > len(names) and table.columns[: len(names)] == list(names)
    shape: Any = np.shape(X) if isinstance(X, list | tuple) else getattr(X, "shape", ())
    return names is None and len(shape) == 2 and shape[1] > owner.n_features_in_


def _int32(X: Any) -> sp.csr_matrix:
    """Return a CSR matrix with sorted int32 indices, not copied if it has them."""
    if X.shape[1] > MAX_FEATURES:
        raise ValueError(f"X has {X.shape[1]} columns; at most {MAX_FEATURES} are supported")
    matrix = sp.csr_matrix((X.data, X.indices, X.indptr), X.shape)
    return matrix if matrix.has_sorted_indices else matrix.sorted_indices()


def _require_content(shape: tuple[int, int], owner: Any) -> None:
    """Refuse an empty table in scikit-learn's words."""
    for size, what in zip(shape, ("sample", "feature"), strict=True):
        if size == 0:
            raise ValueError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required "
                f"by {type(owner).__name__}."
            )
