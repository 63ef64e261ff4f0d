"""Our own estimators with no argument but the seed, in ``python -m bench defaults``."""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.model_selection import train_test_split

import sparsefm as fm
from bench.datasets import DataSet
from bench.predictors import predictions

HELD_OUT = 0.2  # of the training rows, as `eval_set`


def estimator(data: DataSet, seed: int) -> Any:
    """Return the estimator for a data set's task."""
    kind = fm.FMRegressor if data.task == "regression" else fm.FMClassifier
    return kind(random_state=seed)


def sparsefm(data: DataSet, seed: int = 0) -> np.ndarray:
    """Fit on the table as it is; predict as `bench.predictors` do."""
    model = estimator(data, seed).fit(data.X_train, data.y_train)
    return predictions(model, data, data.X_test)


def with_eval_set(data: DataSet, seed: int = 0) -> np.ndarray:
    """Fit on four fifths of the training rows, with the others as `eval_set`; the seed splits."""
    X = data.X_train
    parts = np.arange(len(data.y_train))
    train, held_out = train_test_split(
        parts, test_size=HELD_OUT, random_state=seed, stratify=_strata(data)
    )
    rows = X if isinstance(X, csr_matrix | np.ndarray) else X.iloc
    eval_set = rows[held_out], data.y_train[held_out]
    model = estimator(data, seed).fit(rows[train], data.y_train[train], eval_set=eval_set)
    return predictions(model, data, data.X_test)


def _strata(data: DataSet) -> np.ndarray | None:
    """Return the classes, of which both parts have as many; None for regression."""
    return None if data.task == "regression" else data.y_train
