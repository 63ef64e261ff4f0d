"""scikit-learn's HistGradientBoosting with its defaults, in ``python -m bench defaults``.

It takes tables of numbers. Categories become codes; it is told which columns are categories where
it can take as many. The columns that a one-hot matrix was made of are found (`bench.blocks`).
"""

import numpy as np
import pandas as pd
from scipy.sparse import issparse, vstack
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

from bench.blocks import blocks, columns
from bench.datasets import DataSet
from bench.predictors import SkippedError, fit_and_predict

MOST_CATEGORIES = 255  # of a column that is told to be one
MOST_COLUMNS = 2000  # of a matrix that is no table


def boosting(data: DataSet) -> np.ndarray:
    """Predict as `bench.predictors` do."""
    X_train, X_test, categorical = codes(data)
    kind = (
        HistGradientBoostingRegressor
        if data.task == "regression"
        else HistGradientBoostingClassifier
    )
    model = kind(categorical_features=categorical, random_state=0)
    return fit_and_predict(model, data, X_train, X_test)


def codes(data: DataSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training and test rows as numbers, and which columns are categories."""
    if isinstance(data.X_train, pd.DataFrame):
        words = [not pd.api.types.is_numeric_dtype(kind) for kind in data.X_train.dtypes]
        return _ordinal(data.X_train, data.X_test, np.array(words))
    if not issparse(data.X_train):
        return data.X_train, data.X_test, np.zeros(data.X_train.shape[1], bool)
    begins = blocks(vstack([data.X_train, data.X_test], format="csr"))
    if begins is not None:
        (train, words), (test, _) = (columns(X, begins) for X in (data.X_train, data.X_test))
        return _ordinal(pd.DataFrame(train), pd.DataFrame(test), words)
    if data.X_train.shape[1] > MOST_COLUMNS:
        raise SkippedError(f"a matrix of more than {MOST_COLUMNS} columns is no table")
    return data.X_train.toarray(), data.X_test.toarray(), np.zeros(data.X_train.shape[1], bool)


def _ordinal(
    train: pd.DataFrame, test: pd.DataFrame, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Replace the categories of columns of words by numbers; unknown ones are missing."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    encoder.fit(train.loc[:, words])
    tables = []
    for table in (train, test):
        found = np.empty(table.shape)
        found[:, ~words] = table.loc[:, ~words].to_numpy(float)
        if words.any():
            found[:, words] = encoder.transform(table.loc[:, words])
        tables.append(found)
    categorical = words.copy()
    categorical[words] = [len(known) <= MOST_CATEGORIES for known in encoder.categories_]
    return tables[0], tables[1], categorical
