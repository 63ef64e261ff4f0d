"""The ways to turn a data set into features that the ceiling tries (`bench.tuned`)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, issparse

from bench import blocks
from bench.datasets import DataSet
from bench.predictors import encode
from sparsefm.encoding import TableEncoder

PLAIN, STANDARDIZE, LOG, BIN = "plain", "standardize", "log", "bin"
TABLES, MATRICES = (PLAIN, STANDARDIZE, LOG, BIN), (PLAIN, STANDARDIZE)
BINS = (8, 16, 32, 64, 128)


@dataclass(frozen=True, eq=False)
class Features:
    """Training and test rows; the field of each feature, if known."""

    X: csr_matrix
    X_test: csr_matrix
    fields: np.ndarray | None


def draw(random: np.random.Generator, data: DataSet) -> dict[str, Any]:
    """Draw a way: what to do with numbers, and whether they share a prior."""
    ways = MATRICES if issparse(data.X_train) else TABLES if has_numbers(data) else (STANDARDIZE,)
    numeric = str(random.choice(ways))
    n_bins = int(random.choice(BINS)) if numeric == BIN else 0
    return {"numeric": numeric, "n_bins": n_bins, "pooled": bool(random.random() < 0.5)}


def has_numbers(data: DataSet) -> bool:
    """Return whether the data set is a table with numbers."""
    if isinstance(data.X_train, pd.DataFrame):
        return len(data.X_train.select_dtypes("number").columns) > 0
    return not issparse(data.X_train)


@lru_cache(maxsize=8)
def features(data: DataSet, numeric: str, n_bins: int, pooled: bool) -> Features:
    """Encode in one of the ways.

    "plain" is as for linear models: no number is cut, matrices stay as they are. "log" takes
    logarithms of numbers, of their sizes where they have both signs.
    """
    if issparse(data.X_train):
        X, X_test = (csr_matrix(part, dtype=np.float32) for part in (data.X_train, data.X_test))
        if numeric != PLAIN:
            encoder = TableEncoder().fit(X)
            X, X_test = encoder.transform(X), encoder.transform(X_test)
        return Features(X, X_test, None if pooled else blocks.fields(data.X_train))
    if numeric == PLAIN:
        X, X_test = (csr_matrix(part, dtype=np.float32) for part in encode(data))
        return Features(X, X_test, None)
    train, test = (pd.DataFrame(part) for part in (data.X_train, data.X_test))
    train.columns = test.columns = [str(name) for name in train.columns]
    if numeric == LOG:
        train, test = _logarithms(train, test)
    options = {"numeric": "bin", "n_bins": n_bins} if numeric == BIN else {}
    encoder = TableEncoder(**options).fit(train)
    fields = np.asarray(encoder.fields_)
    if pooled and numeric != BIN:
        numbers = [pd.api.types.is_numeric_dtype(kind) for kind in train.dtypes]
        fields = np.where(np.array(numbers)[fields], len(numbers), fields)
        fields = np.unique(fields, return_inverse=True)[1]
    return Features(encoder.transform(train), encoder.transform(test), fields)


def _logarithms(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both with sign(x) log(1 + |x| / typical size) for each number."""
    train, test = train.copy(), test.copy()
    for name in train.select_dtypes("number").columns:
        sizes = train[name].abs()
        typical = sizes[sizes > 0].median()
        unit = typical / 10 if typical > 0 else 1.0
        for table in (train, test):
            table[name] = np.sign(table[name]) * np.log1p(table[name].abs() / unit)
    return train, test
