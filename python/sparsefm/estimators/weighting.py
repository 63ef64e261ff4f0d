"""Weights of rows, and the weighted sample of training rows that an estimator keeps."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import take_rows
from sparsefm.data.dataset import spread
from sparsefm.data.validation import as_vector, as_weights

Array = npt.NDArray[Any]

SAMPLE_SIZE = 1 << 15  # training rows kept, to count how often pairs of features occur


def proportions(sample_weight: Any, n_rows: int) -> Array | None:
    """Return checked weights, scaled by a power of two, which keeps their ratios exact."""
    if sample_weight is None:
        return None
    as_weights(sample_weight, n_rows, np.float64, "sample_weight")  # for its checks
    weights = as_vector(sample_weight, n_rows, np.float64, "sample_weight")
    return np.ldexp(weights, -int(np.frexp(weights.max())[1]))  # type: ignore[no-any-return]


def sample_of(X: _core.Csr, rows: npt.NDArray[np.int64], weights: Array | None) -> sp.csr_matrix:
    """Return a sample of the training rows, in proportion to their weights.

    Parameters
    ----------
    X : Csr of shape (n, d)
    rows : ndarray of int64
        The rows that take part.
    weights : ndarray of shape (n,) or None
    """
    if weights is not None:
        weights = weights[rows].astype(np.float64)
        if (weights != weights[0]).any():
            ends = np.cumsum(weights)
            size = int(min(np.ceil(16 * ends[-1] / weights.min()), SAMPLE_SIZE))
            rows = rows[np.searchsorted(ends, (np.arange(size) + 0.5) * (ends[-1] / size))]
    sample = take_rows(X, rows[spread(len(rows), SAMPLE_SIZE)])
    values = np.ones(sample.n_nonzeros, np.float32) if sample.values is None else sample.values
    return sp.csr_matrix(
        (values, sample.indices, sample.indptr), (sample.n_rows, sample.n_features)
    )
