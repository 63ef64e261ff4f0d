"""Weights of examples, before training and in what is kept of them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm.data.dataset import Rows
from sparsefm.data.validation import as_vector, as_weights

Array = npt.NDArray[Any]

SAMPLE_SIZE = 1 << 15  # training rows kept to tell how often pairs of features occur


def proportions(sample_weight: Any, n_rows: int) -> Array | None:
    """Return checked weights, scaled by a power of two: that changes no bit of a ratio."""
    if sample_weight is None:
        return None
    as_weights(sample_weight, n_rows, np.float64, "sample_weight")  # for its checks
    weights = as_vector(sample_weight, n_rows, np.float64, "sample_weight")
    return np.ldexp(weights, -int(np.frexp(weights.max())[1]))  # type: ignore[no-any-return]


def sample_of(rows: Rows) -> sp.csr_matrix:
    """Return some of the rows, as often as their weights say."""
    order = rows.counted
    if rows.weights is not None:
        weights = rows.weights[order].astype(np.float64)
        ends = np.cumsum(weights)
        size = int(min(np.ceil(16 * ends[-1] / weights.min()), SAMPLE_SIZE))
        order = order[np.searchsorted(ends, (np.arange(size) + 0.5) * (ends[-1] / size))]
    X = rows.sample(order, SAMPLE_SIZE).X
    values = np.ones(X.n_nonzeros, np.float32) if X.values is None else X.values
    return sp.csr_matrix((values, X.indices, X.indptr), (X.n_rows, X.n_features))
