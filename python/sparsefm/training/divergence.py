"""Knowing when training has failed, and saying why."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.dataset import Rows
from sparsefm.errors import DivergenceError
from sparsefm.losses import Loss
from sparsefm.optimizers import Solver
from sparsefm.training.parameters import State

Array = npt.NDArray[Any]

HOPELESS = 1000.0  # times the loss of a model that knows nothing
OUTLYING = 100.0  # times the median scale of a column


class DivergenceWatch:
    """Raises `DivergenceError` when a loss is not finite, or hopeless.

    Hopeless is a mean loss a thousand times that of scores which are all zero, or a thousand times
    what the training began with if that is more. Random initial parameters are not to make the
    start hopeless: they count for what they do on data of unit scale, a loss of no more than 1.

    Parameters
    ----------
    rows : Rows
    sample : Rows
        Some of them, to judge the start and the end by.
    loss : Loss
    solver : Solver
    state : State
        As training begins with it.
    random_start : bool
        Whether it was drawn.
    """

    def __init__(
        self,
        rows: Rows,
        sample: Rows,
        loss: Loss,
        solver: Solver,
        state: State,
        *,
        random_start: bool,
    ) -> None:
        self._rows = rows
        self._sample = sample
        self._loss = loss
        self._solver = solver
        start = sample.mean(loss.values(sample.y, state.scores(sample.X)))
        start = min(start, 1.0) if random_start else start
        zeros = [part.mean(loss.values(part.y, np.zeros_like(part.y))) for part in (rows, sample)]
        self._limit = HOPELESS * max(zeros[0], start)
        self._sample_limit = HOPELESS * max(*zeros, start)
        if not math.isfinite(self._sample_limit):
            largest = np.abs(rows.y).max()
            raise ValueError(
                f"y holds values up to {largest:.3g}, or the initial scores are that large: in "
                f"{rows.y.dtype} their loss overflows; scale y, or use dtype='float64'"
            )

    def check_finite(self, epoch: int, loss: float) -> None:
        """Check a loss, or the sum of some."""
        if not math.isfinite(loss):
            raise self.error(epoch, "is no longer finite")

    def check_epoch(self, epoch: int, loss: float) -> None:
        """Check the mean training loss of an epoch."""
        self._check(epoch, loss, self._limit)

    def check_validation(self, epoch: int, loss: float, validation: Rows) -> None:
        """Check a validation loss, of a model whose training loss is sound."""
        if math.isfinite(loss):
            return
        scales = column_scales(validation.X)
        column = int(np.argmax(scales))
        raise ValueError(
            f"the validation loss of epoch {epoch} is not finite: X_val holds values up to "
            f"{scales[column]:.3g} (column {column}), y_val up to "
            f"{np.abs(validation.y).max():.3g}; scale them as the training data"
        )

    def check_end(self, epoch: int, state: State) -> None:
        """Check the result, on which no loss has yet been taken after the last step."""
        if not state.is_finite():
            raise self.error(epoch, "is no longer finite, or its gradients")
        scores = state.scores(self._sample.X)
        loss = self._sample.mean(self._loss.values(self._sample.y, scores))
        self._check(epoch, loss if np.isfinite(scores).all() else math.nan, self._sample_limit)

    def _check(self, epoch: int, loss: float, limit: float) -> None:
        self.check_finite(epoch, loss)
        if loss > limit > 0:
            raise self.error(epoch, f"grew to {loss:.3g}")

    def error(self, epoch: int, what: str) -> DivergenceError:
        """Return the error, with the likely cause and the remedy."""
        message = f"training diverged in epoch {epoch}: the loss {what}. "
        scales = column_scales(self._rows.X)
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


def column_scales(X: _core.Csr) -> Array:
    """Return the largest absolute value in each column, shape (d,); at least one is not 0."""
    if X.values is None or X.all_ones or X.n_nonzeros == 0:
        return np.ones(X.n_features)
    values = np.abs(X.values).astype(np.float64)
    matrix = sp.csr_matrix((values, X.indices, X.indptr), (X.n_rows, X.n_features))
    return np.asarray(matrix.max(axis=0).toarray()).ravel()
