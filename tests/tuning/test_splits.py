"""Splits divide the rows that take part, at random, and keep classes as frequent."""

import numpy as np
import pytest
from scipy import sparse

from sparsefm.data.csr import as_csr
from sparsefm.data.dataset import Dataset
from sparsefm.tuning.splits import folds, split


@pytest.mark.parametrize("stratify", [False, True])
@pytest.mark.parametrize("n_rows", [2, 10, 101])
def test_folds_and_splits(n_rows, stratify):
    rng = np.random.default_rng(0)
    y = (np.arange(n_rows) % 5 == 0) * 1.0
    weights = np.ones(n_rows) if n_rows == 2 else (np.arange(n_rows) != 3) * 1.0
    X = as_csr(sparse.csr_matrix(np.arange(1.0, n_rows + 1)[:, None]), np.float64)
    whole = Dataset.of(X, y, (y,), weights)
    n = len(whole.rows)
    parts = folds(whole, 5, rng, stratify=stratify)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    if stratify and n_rows > 10:
        assert {y[whole.rows[part]].sum() for part in parts} <= {4, 5}
    for fraction in (0.01, 0.3, 0.99):
        train, held_out = split(whole, fraction, rng, stratify=stratify)
        assert len(held_out.rows) == held_out.X.n_rows == np.clip(round(fraction * n), 1, n - 1)
        taken = held_out.X.values.astype(int) - 1  # the value in a row is its number
        assert np.array_equal(np.sort(np.concatenate([train.rows, taken])), whole.rows)
        assert np.array_equal(held_out.y, y[taken])
        assert np.array_equal(held_out.weights, weights[taken])
        assert (np.diff(train.rows) > 0).all()
