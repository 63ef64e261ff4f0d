"""Fitted models and estimators of every kind, small ones, for what is done with them afterwards."""

from functools import cache

import numpy as np

import sparsefm as fm

N_FIELDS, PER_FIELD = 3, 4
FIELDS = np.repeat(np.arange(N_FIELDS), PER_FIELD)
GIBBS = fm.Gibbs(burn_in=1, samples=3)
QUICK = {"rank": 3, "epochs": 2, "search": None, "solver": fm.Adam(), "n_threads": 1}


def rows(n=200, *, seed=0):
    """Draw rows with some values of each field, none in some rows, and a target of each kind."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(FIELDS))) * (rng.random((n, len(FIELDS))) < 0.4)
    X[::17] = 0
    score = X[:, 0] - X[:, 3] * X[:, 5] + X[:, 8] * X[:, 1]
    classes = np.digitize(score + rng.normal(size=n), [-0.5, 0.5])
    return X, {"number": score, "two": (score > 0) * 1, "three": classes}


def _train(kind, **settings):
    X, y = rows()
    return fm.train(X, y[kind], rank=3, epochs=3, n_threads=1, **settings)


def _estimator(cls, kind, **settings):
    X, y = rows()
    return cls(**QUICK | settings).fit(X, y[kind])


MAKERS = {
    "model": lambda: _train("number"),
    "model of float64": lambda: _train("number", dtype="float64"),
    "two classes": lambda: _train("two", task="binary"),
    "hinge": lambda: _train("two", task="binary", loss="hinge"),
    "linear": lambda: fm.train(rows()[0], rows()[1]["number"], rank=0, epochs=1),
    "field-weighted": lambda: _train("two", task="binary", variant="fwfm", fields=FIELDS),
    "field-aware": lambda: _train("number", variant="ffm", fields=FIELDS),
    "sampled": lambda: _train("number", solver=GIBBS),
    "sampled, two classes": lambda: _train("two", task="binary", solver=GIBBS),
    "sampled, ordered": lambda: _train("three", task="ordinal", solver=GIBBS),
    "regressor": lambda: _estimator(fm.FMRegressor, "number"),
    "regressor of float64": lambda: _estimator(fm.FMRegressor, "number", dtype="float64"),
    "regressor, ALS": lambda: _estimator(fm.FMRegressor, "number", solver=fm.ALS()),
    "regressor, Gibbs": lambda: _estimator(fm.FMRegressor, "number", solver=GIBBS),
    "classifier": lambda: _estimator(fm.FMClassifier, "two"),
    "classifier, Gibbs": lambda: _estimator(fm.FMClassifier, "two", solver=GIBBS),
    "classifier, fwfm": lambda: _estimator(fm.FMClassifier, "two", variant="fwfm"),
    "classifier, ffm": lambda: _estimator(fm.FMClassifier, "three", variant="ffm"),
    "classifier, three": lambda: _estimator(fm.FMClassifier, "three", loss="logistic"),
    "classifier, softmax": lambda: _estimator(fm.FMClassifier, "three", loss="softmax"),
}


@cache
def served(name):
    """Return the model or estimator of that name; it is shared, and not to be changed."""
    return MAKERS[name]()


def predicted(model, X):
    """Return all that a model says of some rows."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X)
    return model.predict(X)
