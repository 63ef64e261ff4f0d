"""Examples: rows of X with their targets and weights, checked together."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.inputs import as_labels, as_vector, as_weights
from sparsefm.losses import Loss
from sparsefm.matrices import as_csr

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked examples: X, targets y and, unless all are one, weights."""

    X: _core.Csr
    y: Array
    weights: Array | None = None

    @classmethod
    def training(cls, X: Any, y: Any, sample_weight: Any, loss: Loss, dtype: Any) -> "Rows":
        """Check the arguments `X`, `y` and `sample_weight` of `train`."""
        matrix = as_csr(X, dtype)
        _require_rows(matrix, "X")
        weights = as_weights(sample_weight, matrix.n_rows, dtype, "sample_weight")
        targets = as_vector(y, matrix.n_rows, dtype, "y")
        if loss.task == "binary":
            targets = as_labels(targets, "y")
            counted = targets if weights is None else targets[weights > 0]
            if counted.min() == counted.max():
                raise ValueError(
                    "y must hold two classes, but every row (of positive weight) is "
                    "of the same: there is nothing to tell apart"
                )
        return cls(matrix, targets, weights)

    @classmethod
    def validation(cls, X: Any, y: Any, loss: Loss, dtype: Any, n_features: int) -> "Rows | None":
        """Check the arguments `X_val` and `y_val` of `train`."""
        if X is None and y is None:
            return None
        if X is None or y is None:
            raise ValueError("X_val and y_val go together: one of them is missing")
        matrix = as_csr(X, dtype, "X_val", n_features)
        _require_rows(matrix, "X_val")
        targets = as_vector(y, matrix.n_rows, dtype, "y_val", "X_val")
        return cls(matrix, as_labels(targets, "y_val") if loss.task == "binary" else targets)

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        if self.weights is None:
            return float(self.X.n_rows)
        return float(self.weights.sum(dtype=np.float64))

    def mean(self, values: Array) -> float:
        """Return the weighted mean of a number of each row."""
        counted = self.order(None)  # rows of weight 0 must not even change the rounding
        weights = None if self.weights is None else self.weights[counted].astype(np.float64)
        return float(np.average(values[counted].astype(np.float64), weights=weights))

    def order(self, random: np.random.Generator | None) -> npt.NDArray[np.int64]:
        """Return the rows of positive weight, shuffled if there is a `random`."""
        if self.weights is None:
            rows = np.arange(self.X.n_rows, dtype=np.int64)
        else:
            rows = np.flatnonzero(self.weights).astype(np.int64, copy=False)
        return rows if random is None else random.permutation(rows)

    def weights_of(self, order: npt.NDArray[np.int64]) -> Array | None:
        """Return the weights of the rows `order`, None if all are one."""
        if self.weights is None:
            return None
        weights = self.weights[order]
        return None if (weights == 1).all() else weights

    def sample(self, order: npt.NDArray[np.int64], size: int) -> "Rows":
        """Return at most `size` rows, spread evenly over `order`."""
        chosen = order[np.linspace(0, len(order) - 1, min(size, len(order))).astype(np.int64)]
        X = self.X
        parts = [slice(X.indptr[row], X.indptr[row + 1]) for row in chosen]
        indices = np.concatenate([X.indices[part] for part in parts])
        indptr = np.cumsum([0] + [part.stop - part.start for part in parts])
        values = np.ones(len(indices), self.y.dtype)
        if X.values is not None:
            values = np.concatenate([X.values[part] for part in parts])
        matrix = sp.csr_matrix((values, indices, indptr), (len(chosen), X.n_features))
        weights = None if self.weights is None else self.weights[chosen]
        return Rows(as_csr(matrix, self.y.dtype), self.y[chosen], weights)

    def used_features(self) -> npt.NDArray[np.bool_]:
        """Return which features occur in a row of positive weight, shape (d,)."""
        return self.X.features_of(self.order(None))


def _require_rows(matrix: _core.Csr, name: str) -> None:
    if matrix.n_rows == 0 or matrix.n_features == 0:
        shape = f"{matrix.n_rows} rows and {matrix.n_features} columns"
        raise ValueError(f"{name} is empty: it has {shape}")
