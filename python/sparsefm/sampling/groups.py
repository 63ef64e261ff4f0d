"""Groups: the features whose parameters share a prior distribution."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from sparsefm import _core

Numbers = npt.NDArray[np.int32]

SMALL = 2  # features of a field, such as a number and its missing values


def one_hot_fields(X: _core.Csr) -> Numbers | None:
    """Return the fields of a matrix whose rows have one feature of each, or None if there are none.

    A field is a block of consecutive features. All rows must have the same number of features, and
    the j-th feature of a row must always be of the j-th block, as in what `OneHotEncoder` returns.

    Parameters
    ----------
    X : Csr of shape (n, d)
        The features of a row are in ascending order.

    Returns
    -------
    ndarray of int32, shape (d,), or None
    """
    return one_hot_fields_of([X])


def one_hot_fields_of(matrices: Iterable[_core.Csr]) -> Numbers | None:
    """Return `one_hot_fields` of the rows of several matrices together."""
    first = last = None
    n_features = 0
    for X in matrices:
        length = X.n_nonzeros // max(X.n_rows, 1) if first is None else len(first)
        if length < 2 or (np.diff(X.indptr) != length).any():
            return None
        features = X.indices[: X.n_nonzeros].reshape(X.n_rows, length)
        lowest, highest = features.min(axis=0), features.max(axis=0)
        first = lowest if first is None else np.minimum(first, lowest)
        last = highest if last is None else np.maximum(last, highest)
        n_features = X.n_features
        if (last[:-1] >= first[1:]).any():
            return None
    if first is None:
        return None
    fields = np.searchsorted(first, np.arange(n_features), side="right") - 1
    return np.maximum(fields, 0).astype(np.int32)


def prior_groups(fields: Numbers, matrices: Sequence[_core.Csr]) -> tuple[Numbers, int]:
    """Return the group of each feature, and how many groups there are.

    A group is a field; but the small fields of a matrix are one group. A precision that is learned
    from one or two parameters is hardly more than its prior.

    Parameters
    ----------
    fields : ndarray of int32, shape (d,)
    matrices : sequence of Csr
        Each with the entries of some fields.
    """
    small = (np.bincount(fields) <= SMALL)[fields]
    groups = fields.astype(np.int64) + len(matrices)
    for number, matrix in enumerate(matrices):
        here = np.zeros(len(fields), np.bool_)
        here[matrix.indices[: matrix.n_nonzeros]] = True
        groups[small & here] = number
    used, groups = np.unique(groups, return_inverse=True)
    return groups.astype(np.int32), len(used)
