"""Examples: rows of X with their targets and weights, checked together."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm import _core
from sparsefm.data.csr import as_csr, take_rows
from sparsefm.data.validation import as_labels, as_vector, as_weights
from sparsefm.losses import Loss

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked examples: X, targets y and, unless all are one, weights."""

    X: _core.Csr
    y: Array
    weights: Array | None = None
    chosen: npt.NDArray[np.int64] | None = None  # the rows that count, if not all of them

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

    @cached_property
    def counted(self) -> npt.NDArray[np.int64]:
        """The chosen rows of positive weight."""
        rows = np.arange(self.X.n_rows, dtype=np.int64) if self.chosen is None else self.chosen
        return rows if self.weights is None else rows[self.weights[rows] > 0]

    @property
    def total_weight(self) -> float:
        """Sum of the weights."""
        if self.weights is None:
            return float(len(self.counted))
        return float(self.weights[self.counted].sum(dtype=np.float64))

    def mean(self, values: Array) -> float:
        """Return the weighted mean of a number of each row."""
        counted = self.counted  # rows of weight 0 must not even change the rounding
        weights = None if self.weights is None else self.weights[counted].astype(np.float64)
        return float(np.average(values[counted].astype(np.float64), weights=weights))

    def order(self, random: np.random.Generator | None) -> npt.NDArray[np.int64]:
        """Return the rows that count, shuffled if there is a `random`."""
        return self.counted if random is None else random.permutation(self.counted)

    def choose(self, rows: npt.NDArray[np.int64]) -> "Rows":
        """Return the same matrix with other rows to count, in this order."""
        return replace(self, chosen=rows)

    def take(self, rows: npt.NDArray[np.int64]) -> "Rows":
        """Return a copy of some rows."""
        weights = None if self.weights is None else self.weights[rows]
        return Rows(take_rows(self.X, rows), self.y[rows], weights)

    def weights_of(self, order: npt.NDArray[np.int64]) -> Array | None:
        """Return the weights of the rows `order`, None if all are one."""
        if self.weights is None:
            return None
        weights = self.weights[order]
        return None if (weights == 1).all() else weights

    def sample(self, order: npt.NDArray[np.int64], size: int) -> "Rows":
        """Return at most `size` rows, spread evenly over `order`."""
        places = np.linspace(0, len(order) - 1, min(size, len(order)))
        return self.take(order[places.astype(np.int64)])

    def used_features(self) -> npt.NDArray[np.bool_]:
        """Return which features occur in a row of positive weight, shape (d,)."""
        return self.X.features_of(self.counted)


def _require_rows(matrix: _core.Csr, name: str) -> None:
    if matrix.n_rows == 0 or matrix.n_features == 0:
        shape = f"{matrix.n_rows} rows and {matrix.n_features} columns"
        raise ValueError(f"{name} is empty: it has {shape}")
