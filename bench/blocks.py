"""The columns of a table that a CSR matrix was made of, if that can be told."""

import numpy as np
from scipy.sparse import csr_matrix


def blocks(X: csr_matrix) -> np.ndarray | None:
    """Return where the features of each column begin, or None if there is no telling.

    Every row has as many entries as there are columns, and the features of one column come before
    those of the next.
    """
    lengths = np.diff(X.indptr)
    if not len(lengths) or not lengths[0] or (lengths != lengths[0]).any():
        return None
    columns = X.sorted_indices().indices.reshape(len(lengths), lengths[0])
    low, high = columns.min(0), columns.max(0)
    if (high[:-1] >= low[1:]).any():
        return None
    return np.concatenate([[0], low[1:]])


def fields(X: csr_matrix) -> np.ndarray | None:
    """Return the column of each feature, shape (features,)."""
    begins = blocks(X)
    return None if begins is None else np.searchsorted(begins, np.arange(X.shape[1]), "right") - 1


def columns(X: csr_matrix, begins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the table, shape (rows, columns), and which columns are codes of categories.

    A column of one feature has its values, the others have codes.
    """
    X = X.sorted_indices()
    shape = X.shape[0], len(begins)
    sizes = np.diff([*begins, X.shape[1]])
    categorical = sizes > 1
    codes = X.indices.reshape(shape) - begins
    return np.where(categorical, codes, X.data.reshape(shape)), categorical
