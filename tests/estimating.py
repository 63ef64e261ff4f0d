"""Small problems for estimators, and what is asked of both kinds of them."""

import numpy as np
from reference import score_brute_force

import sparsefm as fm

QUICK = {
    "rank": 2,
    "solver": fm.Adam(learning_rate=0.03),
    "epochs": 6,
    "batch_size": 16,
    "search": None,
}


def products(rows=120, *, share=0.8, noise=0.1, seed=0):
    """Draw rows with a share of non-zeros, and targets that a linear model cannot predict."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    if share < 1:
        X *= rng.random((rows, 4)) < share
    return X, X[:, 0] * X[:, 1] + X[:, 2] + noise * rng.normal(size=rows)


def targets(kind, y):
    """Return numbers for a regressor, their signs as words for a classifier."""
    return y if kind is fm.FMRegressor else np.where(y > 0, "up", "down")


def both_parts(kind, rows=150):
    """Return training and validation data, with much noise."""
    X, y = products(rows + 100, share=1, noise=0.5)
    y = targets(kind, y)
    return (X[:rows], y[:rows]), (X[rows:], y[rows:])


def overfitting(kind, **options):
    """Return an estimator that soon does worse on validation data."""
    solver = fm.Adam(learning_rate=0.1, epsilon=1e-8, l2_linear=0, l2_factors=0)
    settings = {"rank": 8, "solver": solver, "epochs": 40, "init_scale": 0.5, "search": None}
    return kind(**settings | options)


def scores_of(estimator, X):
    """Return predictions in all their bits."""
    return getattr(estimator, "decision_function", estimator.predict)(X)


def assert_same(a, b, X):
    """Bit for bit."""
    assert np.array_equal(scores_of(a, X), scores_of(b, X))
    for name in ("w0_", "w_", "V_"):
        assert np.array_equal(getattr(a, name), getattr(b, name))


def formula(estimator, X):
    """Return the scores pair by pair, from the parameters that an estimator shows."""
    encoded = estimator.encoder_.transform(X).toarray().astype(np.float64)
    w0, w, V = (np.asarray(p, np.float64) for p in (estimator.w0_, estimator.w_, estimator.V_))
    if w.ndim == 1:
        return score_brute_force(encoded, w0, w, V)
    each = zip(w0, w, V, strict=True)
    return np.column_stack([score_brute_force(encoded, *parameters) for parameters in each])


def tried(estimator):
    """Return what the search tells of its candidates, without the time that they took."""
    return {name: column for name, column in estimator.search_.items() if name != "seconds"}
