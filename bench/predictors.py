"""Who predicts in ``python -m bench defaults``: from a data set to predictions for its test rows.

Each predicts the targets of a regression, shape (rows,), or the classes' probabilities, shape
(rows, classes). Those that need numbers get the same: categories one-hot, numbers standardized.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, issparse, save_npz
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from bench import myfm_side
from bench.blocks import fields
from bench.datasets import DataSet
from bench.gibbs import find_myfm
from bench.worker import WorkerError, call

PENALTIES = np.logspace(3, -3, 9)  # alpha of ridge regression, 1 / C of logistic regression
FOLDS = 5
FOLDS_UP_TO = 25_000  # training rows; one hold-out of `HOLD_OUT` for more
HOLD_OUT = 0.2
WORSE = 1.02  # a loss is clearly worse by this factor


class SkippedError(RuntimeError):
    """A side cannot predict on this data set."""


def encode(data: DataSet) -> tuple[Any, Any]:
    """Return training and test rows as numbers, CSR unless they were a dense array."""
    if issparse(data.X_train):
        return data.X_train, data.X_test
    if not isinstance(data.X_train, pd.DataFrame):
        scaler = StandardScaler().fit(data.X_train)
        return scaler.transform(data.X_train), scaler.transform(data.X_test)
    numbers, words = _columns(data.X_train)
    encoder = ColumnTransformer(
        [
            ("words", OneHotEncoder(handle_unknown="ignore"), words),
            ("numbers", StandardScaler(), numbers),
        ]
    ).fit(data.X_train)
    return csr_matrix(encoder.transform(data.X_train)), csr_matrix(encoder.transform(data.X_test))


def _columns(table: pd.DataFrame) -> tuple[pd.Index, pd.Index]:
    """Return the columns of numbers and those of words."""
    numbers = table.select_dtypes("number").columns
    return numbers, table.columns.difference(numbers)


def folds(data: DataSet) -> BaseCrossValidator | BaseShuffleSplit:
    """Return how to split the training rows in order to choose settings."""
    if len(data.y_train) > FOLDS_UP_TO:
        return ShuffleSplit(1, test_size=HOLD_OUT, random_state=0)
    kind = KFold if data.task == "regression" else StratifiedKFold
    return kind(FOLDS, shuffle=True, random_state=0)


def constant(data: DataSet) -> np.ndarray:
    """Predict the training rows' mean or shares of classes."""
    dummy = DummyRegressor() if data.task == "regression" else DummyClassifier(strategy="prior")
    return fit_and_predict(
        dummy, data, np.zeros((len(data.y_train), 1)), np.zeros((len(data.y_test), 1))
    )


def linear(data: DataSet) -> np.ndarray:
    """Ridge or logistic regression, its penalty chosen by cross-validation.

    From the strongest penalty on, until weaker ones are worse: they also take the longest.
    """
    X_train, X_test = encode(data)
    regression = data.task == "regression"
    scoring = "neg_root_mean_squared_error" if regression else "neg_log_loss"
    best, best_loss, cv = None, np.inf, folds(data)
    for penalty in PENALTIES:
        model = Ridge(penalty) if regression else LogisticRegression(C=1 / penalty, max_iter=1000)
        loss = -cross_val_score(model, X_train, data.y_train, scoring=scoring, cv=cv).mean()
        if loss > WORSE * best_loss:
            break
        if loss < best_loss:
            best, best_loss = model, loss
    return fit_and_predict(best, data, X_train, X_test)


def modern_fm(data: DataSet) -> np.ndarray:
    """modern-fm with its defaults."""
    try:
        from modern_fm import FMClassifier, FMRegressor
    except ImportError:
        raise SkippedError("modern-fm is not installed") from None
    model = FMRegressor if data.task == "regression" else FMClassifier
    return fit_and_predict(model(random_state=0), data, *encode(data))


def myfm(data: DataSet) -> np.ndarray:
    """Let myFM predict with its defaults, in a Python that has it; a column is a group."""
    if data.task == "multiclass":
        raise SkippedError("myFM has two classes")
    python = myfm_python()
    if python is None:
        raise SkippedError("myFM is not installed")
    X, X_test = (csr_matrix(part, dtype=np.float64) for part in encode(data))
    with TemporaryDirectory() as folder:
        save_npz(Path(folder, "X.npz"), X, compressed=False)
        save_npz(Path(folder, "X_test.npz"), X_test, compressed=False)
        np.save(Path(folder, "y.npy"), data.y_train.astype(np.float64))
        np.save(Path(folder, "groups.npy"), groups(data, X))
        regression = data.task == "regression"
        try:
            call(myfm_side.predict, threads=1, python=python, folder=folder, regression=regression)
        except WorkerError as error:
            raise SkippedError(f"myFM failed: {error}") from None
        found = np.load(Path(folder, "predictions.npy"))
    return found if regression else np.column_stack([1 - found, found])


def groups(data: DataSet, X: csr_matrix) -> np.ndarray:
    """Return the group of each column of what `encode` returns: a number for a column of words.

    All numbers are one group. So are the columns of a matrix, if it was not made of a table.
    """
    if not isinstance(data.X_train, pd.DataFrame):
        found = fields(data.X_train) if issparse(data.X_train) else None
        return np.zeros(X.shape[1], int) if found is None else found
    numbers, words = _columns(data.X_train)
    sizes = [data.X_train[word].nunique(dropna=False) for word in words]
    return np.repeat(np.arange(len(sizes) + 1), [*sizes, len(numbers)])


@cache
def myfm_python() -> str | None:
    """Return a Python that has myFM."""
    return find_myfm()


def fit_and_predict(model: Any, data: DataSet, X_train: Any, X_test: Any) -> np.ndarray:
    """Train a model of scikit-learn's kind; predict."""
    return predictions(model.fit(X_train, data.y_train), data, X_test)


def predictions(model: Any, data: DataSet, X_test: Any) -> np.ndarray:
    """Return targets, or probabilities of classes."""
    return model.predict(X_test) if data.task == "regression" else model.predict_proba(X_test)
