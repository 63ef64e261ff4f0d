"""Knowing when training has failed, and saying why."""

import math

import numpy as np
import scipy.sparse as sp

from sparsefm.errors import DivergenceError
from sparsefm.losses import Loss
from sparsefm.rows import Rows
from sparsefm.solvers import Adam

HOPELESS = 1000.0  # times the loss of a model that knows nothing
OUTLYING = 100.0  # times the median scale of a column


class DivergenceWatch:
    """Raises `DivergenceError` when a loss is not finite, or hopeless.

    Hopeless is a mean loss a thousand times that of scores which are all zero; or, of training that
    starts from given parameters, a thousand times that of its first epoch if that is more.
    """

    def __init__(self, rows: Rows, loss: Loss, solver: Adam, *, given_start: bool) -> None:
        self._rows = rows
        self._solver = solver
        self._limit = HOPELESS * rows.mean(loss.values(rows.y, np.zeros_like(rows.y)))
        self._given_start = given_start

    def check_finite(self, epoch: int, loss: float) -> None:
        """Check a loss, or the sum of some."""
        if not math.isfinite(loss):
            raise self.error(epoch, "is no longer finite")

    def check_epoch(self, epoch: int, loss: float) -> None:
        """Check the mean training loss of an epoch."""
        self.check_finite(epoch, loss)
        if self._given_start and epoch == 1:
            self._limit = max(self._limit, HOPELESS * loss)
        if loss > self._limit > 0:
            raise self.error(epoch, f"grew to {loss:.3g}")

    def error(self, epoch: int, what: str) -> DivergenceError:
        """Return the error, with the likely cause and the remedy."""
        message = f"training diverged in epoch {epoch}: the loss {what}. "
        scales = self._column_scales()
        largest = int(np.argmax(scales))
        if scales[largest] > OUTLYING * float(np.median(scales[scales > 0])):
            return DivergenceError(
                f"{message}Column {largest} of X holds values up to {scales[largest]:.3g}, far "
                "beyond the other columns: scale it (for example with sklearn's MaxAbsScaler)"
            )
        if scales[largest] > OUTLYING:
            return DivergenceError(
                f"{message}X holds values up to {scales[largest]:.3g} (column {largest}): scale "
                "it (for example with sklearn's MaxAbsScaler)"
            )
        rate = self._solver.learning_rate
        return DivergenceError(
            f"{message}The learning rate of {rate:g} is likely too large: try {rate / 10:g}"
        )

    def _column_scales(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the largest absolute value in each column, shape (d,); at least one is not 0."""
        X = self._rows.X
        scales = np.zeros(X.n_features)
        if X.values is None or X.all_ones or X.n_nonzeros == 0:
            scales[:] = 1
            return scales
        values = np.abs(X.values[: X.n_nonzeros]).astype(np.float64)
        matrix = sp.csr_matrix(
            (values, X.indices[: X.n_nonzeros], X.indptr), shape=(X.n_rows, X.n_features)
        )
        scales[:] = matrix.max(axis=0).toarray().ravel()
        return scales
