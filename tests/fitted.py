"""Fitted estimators of known parameters: what the insight methods and the plots look at."""

import numpy as np
import pandas as pd

import sparsefm as fm

FIELDS = {"carrier": 4, "origin": 3, "hour": 5, "distance": 1}
NAMES = [
    f"{field}={value}" if size > 1 else field
    for field, size in FIELDS.items()
    for value in range(size)
]


def fit_known(X, w0, w, V, classes=None):
    """Fit an estimator, a regressor if there are no classes; then give its scores parameters.

    Targets are -1 and 1 in turn, so standardising changes nothing; rows must be even in number.
    """
    settings = {"rank": V.shape[-1], "solver": fm.Adam(), "epochs": 1, "dtype": V.dtype.name}
    settings["search"] = None
    if classes is None:
        y = np.resize([-1.0, 1.0], len(X))
        estimator = fm.FMRegressor(**settings, bounds=None)
    else:
        y, estimator = np.resize(classes, len(X)), fm.FMClassifier(**settings)
    return set_parameters(estimator.fit(X, y), w0, w, V)


def set_parameters(estimator, w0, w, V):
    """Give each score of a fitted estimator the parameters w0, w (d,) and V (d, k)."""
    states = estimator._learner.states
    of_scores = [(w0, w, V)] if len(states) == 1 else zip(w0, w, V, strict=True)
    for state, parameters in zip(states, of_scores, strict=True):
        state.set_parameters(*parameters)
    return estimator


def draw_table(rng, n, holes=0.1):
    """Return three columns of text and one of numbers, some of the text missing."""
    columns = {
        field: np.where(rng.random(n) < holes, None, rng.integers(0, size, n).astype(str))
        for field, size in list(FIELDS.items())[:3]
    }
    return pd.DataFrame({**columns, "distance": rng.normal(size=n)})


def encode(estimator, table):
    """Return the features of a table as a dense matrix."""
    return estimator.encoder_.transform(table).toarray()


def draw_fitted(rng, *, rank=3, classes=None, dtype="float64", history=None):
    """Return an estimator with random parameters; of more than two classes, with as many scores."""
    lead = () if classes is None or len(classes) == 2 else (len(classes),)
    w, V = rng.normal(size=(*lead, len(NAMES))), rng.normal(size=(*lead, len(NAMES), rank))
    w0 = rng.normal(size=lead) if lead else float(rng.normal())
    table = draw_table(rng, 300, holes=0)
    estimator = fit_known(table, w0, w.astype(dtype), V.astype(dtype), classes)
    if history is not None:
        estimator.history_ = history
    return estimator
