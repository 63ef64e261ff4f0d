"""Small problems for the Gibbs sampler: every kind of column, weights, any rank, every loss."""

import numpy as np
from gibbs_reference import Gibbs, Settings

KINDS = {"onehot": 3, "lists": 4, "numeric": 1, "absent": 2, "vectors": 2, "ids": 6, "scaled": 5}
MIXED = ("onehot", "lists", "numeric", "absent", "vectors")


def design(rows, rng, kinds=MIXED):
    """Draw the rows and the field of each feature.

    A one-hot field; lists, where features of a field meet in rows; a numeric column; two features
    of which the second never occurs; two dense columns, which are drawn one after the other.
    And, if asked for, two fields with one feature in each row, of value one or of any value.
    """
    blocks = {
        "onehot": np.eye(3)[rng.integers(0, 3, rows)],
        "lists": (rng.random((rows, 4)) < 0.4) * 0.5,
        "numeric": rng.normal(size=(rows, 1)),
        "absent": (rng.random((rows, 2)) < 0.7) * [1.0, 0.0],
        "vectors": rng.normal(size=(rows, 2)),
        "ids": np.eye(6)[rng.integers(0, 6, rows)],
        "scaled": np.eye(5)[rng.integers(0, 5, rows)] * rng.normal(size=(rows, 1)),
    }
    X = np.hstack([blocks[kind] for kind in kinds])
    fields = np.repeat(np.arange(len(kinds)), [KINDS[kind] for kind in kinds])
    return X, fields.astype(np.int32)


def problem(loss="squared", rank=3, rows=20, weighted=True, seed=0, kinds=MIXED, **settings):
    """Draw arguments of a sampler, by name, with values of no regularity."""
    rng = np.random.default_rng(seed)
    X, fields = design(rows, rng, kinds)
    shape = (fields.max() + 1, rank + 1)
    weights = None
    if weighted:
        weights = rng.uniform(0.3, 3, rows)
        weights[[2, 7]] = 0
    y = rng.normal(size=rows)
    classes = np.digitize(y, [-0.8, -0.5, 0.7])
    given = {"alpha0": 1.5, "beta0": 0.8, "gamma0": 1.7, "bias_precision": 0.4, **settings}
    return {
        "X": X,
        "y": {"squared": y, "ordinal": classes * 1.0}.get(loss, np.where(y > 0, 1.0, -1.0)),
        "weights": weights,
        "fields": fields,
        "settings": Settings(loss=loss, **given),
        "w0": rng.normal(size=1),
        "w": rng.normal(size=len(fields)),
        "V": 0.7 * rng.normal(size=(len(fields), rank)),
        "alpha": np.array([1.3 if loss == "squared" else 1.0]),
        "means": 0.5 * rng.normal(size=shape),
        "precisions": rng.uniform(0.5, 2, shape),
        "cuts": np.array([0.0, 0.4, 1.7]) if loss == "ordinal" else np.zeros(1),
    }


STATE = ("w0", "w", "V", "alpha", "means", "precisions", "cuts")


def copied(given):
    """Copy the arrays that a sampler changes."""
    return {**given, **{name: given[name].copy() for name in STATE}}


def reference(given, seed=0, chain=0, kind=Gibbs):
    """Make the reference's sampler of a copy of the arrays."""
    return kind(**copied(given), seed=seed, chain=chain)
