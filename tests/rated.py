"""Tables of users and items whose scores are inner products, and models sampled on them."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

import sparsefm as fm

TASKS = ["regression", "binary", "ordinal"]


class Ratings(NamedTuple):
    """Rows of two ones, the field of each feature, and the targets with and without noise."""

    X: sp.csr_matrix
    y: np.ndarray
    truth: np.ndarray
    fields: np.ndarray


def ratings(n=4000, users=60, items=40, rank=2, noise=0.5, seed=0):
    """Return n rows; the scores have a variance of about one, and the mean is 3."""
    rng = np.random.default_rng(seed)
    u, i = rng.integers(0, users, n), rng.integers(0, items, n)
    A = rng.normal(size=(users, rank)) / np.sqrt(rank)
    B = rng.normal(size=(items, rank))
    truth = 3 + (A[u] * B[i]).sum(axis=1)
    columns = np.column_stack([u, users + i]).ravel()
    X = sp.csr_matrix((np.ones(2 * n), columns, np.arange(0, 2 * n + 1, 2)), (n, users + items))
    fields = np.repeat([0, 1], [users, items])
    return Ratings(X, truth + noise * rng.normal(size=n), truth, fields)


def targets(data, task):
    if task == "regression":
        return data.y
    return np.digitize(data.y, [3] if task == "binary" else [2, 3, 3.5])


def sample(data, task="regression", train=slice(0, 3000), **options):
    options = {"solver": fm.Gibbs(), "rank": 4, "epochs": 12, "fields": data.fields} | options
    return fm.train(data.X[train], targets(data, task)[train], task=task, **options)


def rmse(model, data, rows=slice(3000, None)):
    return float(np.sqrt(np.mean((model.predict(data.X[rows]) - data.truth[rows]) ** 2)))


def assert_same(first, second, X):
    assert np.array_equal(first.score(X), second.score(X))
    assert first.w0 == second.w0
    assert np.array_equal(first.w, second.w)
    assert np.array_equal(first.V, second.V)
