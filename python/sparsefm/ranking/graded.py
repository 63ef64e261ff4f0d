"""Graded lists: rows that belong to groups, of which some are better than others."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.validation import as_vector
from sparsefm.evaluation.identifiers import as_identifiers, read_vector
from sparsefm.ranking.comparing import Positives

Array = npt.NDArray[Any]


def positives_of_lists(X: sp.csr_matrix, y: Any, group: Any, weights: Array | None) -> Positives:
    """Return rows as positives, each of which is compared with the lower grades of its group.

    Parameters
    ----------
    X : csr_matrix of shape (n, d)
        The features of all rows: they are the items; contexts have none.
    y : array-like of shape (n,)
        Grades: the higher the better.
    group : array-like of shape (n,)
        Integers or text.
    weights : ndarray of shape (n,) or None
        Rows of weight zero are left out. Others are compared with rows of any weight.

    Raises
    ------
    ValueError
        If no group has two grades.
    """
    n = X.shape[0]
    grades = as_vector(y, n, np.dtype(np.float64), "y")
    codes = as_identifiers(read_vector(group, "group"), "group").codes
    if len(codes) != n:
        raise ValueError(f"group has {len(codes)} entries, but X has {n} rows: one for each row")
    order = np.lexsort((-grades, codes))
    if weights is not None:
        order = order[weights[order] > 0]
        weights = weights[order]
    codes, grades, X = codes[order], grades[order], X[order]
    places = np.arange(len(order))
    # The end of the rows of the same group, and of those of the same group and grade.
    new_group = np.r_[codes[1:] != codes[:-1], True]
    new_grade = new_group | np.r_[grades[1:] != grades[:-1], True]
    ends = [places[new][np.searchsorted(places[new], places)] + 1 for new in (new_grade, new_group)]
    chosen = ends[0] < ends[1]
    if not chosen.any():
        raise ValueError("y has no group with two grades: there is nothing to compare")
    nobody = np.zeros(int(np.sum(chosen)), np.int32)
    return Positives(
        sp.csr_matrix((1, X.shape[1])),
        X,
        nobody,
        nobody,
        places[chosen].astype(np.int32),
        None if weights is None else weights[chosen],
        (ends[0][chosen].astype(np.int64), ends[1][chosen].astype(np.int64)),
        sp.csr_matrix((1, len(order)), dtype=bool),
    )
