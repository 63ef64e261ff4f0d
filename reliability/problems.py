"""What the promises are tried on: small problems, and estimators of every kind."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

import sparsefm as fm

Estimator = fm.FMRegressor | fm.FMClassifier
Problem = tuple[Any, npt.NDArray[Any]]

SGD: dict[str, Any] = {"rank": 2, "solver": fm.Adam(), "epochs": 2, "search": None}
SAMPLED: dict[str, Any] = {"rank": 2, "solver": fm.Gibbs(burn_in=1, samples=3), "search": None}

# The estimators, and how many classes their targets have; 0: numbers.
KINDS: dict[str, tuple[Callable[[], Estimator], int]] = {
    "regressor": (lambda: fm.FMRegressor(**SGD), 0),
    "classifier": (lambda: fm.FMClassifier(**SGD), 2),
    "several classes": (lambda: fm.FMClassifier(**SGD), 3),
    "sampled": (lambda: fm.FMRegressor(**SAMPLED), 0),
}


def targets(kind: str, rows: int, seed: int = 0) -> npt.NDArray[Any]:
    """Return targets for a kind of estimator."""
    random, classes = np.random.default_rng(seed), KINDS[kind][1]
    if not classes:
        return random.normal(size=rows)
    return np.resize(random.permutation(classes), rows)


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of text, numbers and missing values."""
    random = np.random.default_rng(seed)
    cities = random.choice(["rome", "oslo", "lima", "paris", None], rows)
    numbers = np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows))
    return pd.DataFrame({"city": cities, "hour": random.integers(0, 24, rows), "x": numbers})


def matrix(rows: int, features: int = 2000, nonzeros: int = 20) -> sp.csr_matrix:
    """Return one-hot rows, with as many fields as nonzeros."""
    size = features // nonzeros
    columns = np.random.default_rng(0).integers(0, size, (rows, nonzeros), dtype=np.int32)
    columns += np.arange(nonzeros, dtype=np.int32) * size
    offsets = np.arange(0, columns.size + 1, nonzeros, dtype=np.int32)
    return sp.csr_matrix((np.ones(columns.size, np.float32), columns.ravel(), offsets))


def fitted(kind: str, rows: int = 40, seed: int = 0) -> Estimator:
    """Return an estimator of this kind, fitted to a table."""
    return KINDS[kind][0]().fit(table(rows, seed), targets(kind, rows, seed))


def scores(estimator: Any, X: Any) -> npt.NDArray[Any]:
    """Return the predictions of an estimator or model, before they become labels."""
    if isinstance(estimator, fm.FMRegressor):
        return estimator.predict(X)
    if isinstance(estimator, fm.FMClassifier):
        return estimator.decision_function(X)
    return fm.predict(X, estimator)
