"""Features that depend on an entity of the row only, such as the age of its user.

If a field is a function of another one, its features need no rows: sums over the rows of each
entity are gathered once, and all features of the entity are drawn from them. The draws are the
same, and there are fewer rows to go through.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import take_rows

ENTITY_COST = 40  # of a value of an entity, in entries of rows
LEAST_SAVED = 0.25  # of all entries; a chain moves a little less in a sweep
LEAST_PART = 0.1  # of all entries, by each relation
MOST_KEYS = 32
MOST_PASSES = 10  # over all entries, to find relations


class Relation(NamedTuple):
    """The features of entities, and which entity each row has.

    Attributes
    ----------
    X : Csr of shape (n_entities, d)
        With an array of values.
    entities : ndarray of int32, shape (n,)
    """

    X: _core.Csr
    entities: npt.NDArray[np.int32]


def split(
    X: _core.Csr, fields: npt.NDArray[np.int32], n_fields: int, rank: int, dtype: npt.DTypeLike
) -> tuple[_core.Csr, tuple[Relation, ...]]:
    """Split rows into features of their own and relations, where that makes sweeps much faster.

    Fields with many features are the first whose dependent fields are looked for.

    Parameters
    ----------
    X : Csr of shape (n, d)
        Checked.
    fields : ndarray of int32, shape (d,)
    n_fields : int
    rank : int
        The sums of an entity take as much memory as 2 (rank + 1) rows; it must have so many.
    dtype : dtype
        Of the relations' values.

    Returns
    -------
    Csr of shape (n, d)
        The entries that are in no relation.
    tuple of Relation
        No field is in two of them.
    """
    sizes = np.bincount(fields, minlength=n_fields)
    entries = np.bincount(fields[X.indices[: X.n_nonzeros]], minlength=n_fields)
    keys = np.flatnonzero((sizes > 1) & (sizes <= X.n_rows / (2 * rank + 2)) & (entries > 0))
    keys = keys[np.argsort(-sizes[keys], kind="stable")][:MOST_KEYS]
    budget, least, saved = MOST_PASSES * X.n_nonzeros, int(LEAST_PART * X.n_nonzeros), 0
    relations = []
    for key in keys:
        if entries[key] == 0:
            continue
        budget, found = _core.dependence(int(key), X, fields, entries, least, budget)
        if found is None:
            continue
        entities, first, depends = found
        features = _part_of(take_rows(X, first.astype(np.int64)), depends[fields] == 1)
        fewer = int(np.diff(features.indptr)[entities].sum(dtype=np.int64)) - X.n_rows
        fewer -= ENTITY_COST * features.n_nonzeros
        if fewer > 0:
            relations.append(Relation(_with_values(features, dtype), entities))
            entries[depends == 1] = 0
            saved += fewer
    if saved < LEAST_SAVED * X.n_nonzeros or not relations:
        return X, ()
    return _part_of(X, (entries > 0)[fields]), tuple(relations)


def _part_of(X: _core.Csr, features: npt.NDArray[np.bool_]) -> _core.Csr:
    """Return a matrix with the entries of some features, given as a mask."""
    chosen = features[X.indices[: X.n_nonzeros]]
    indptr = np.concatenate([[0], np.cumsum(chosen)])[X.indptr]
    values = None if X.values is None else X.values[: X.n_nonzeros][chosen]
    return _core.Csr(indptr, X.indices[: X.n_nonzeros][chosen], values, X.n_features, "rows")


def _with_values(X: _core.Csr, dtype: npt.DTypeLike) -> _core.Csr:
    values = np.ones(X.n_nonzeros) if X.values is None else X.values
    return _core.Csr(X.indptr, X.indices, values.astype(dtype), X.n_features, "a relation")
