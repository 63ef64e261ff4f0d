"""Detects when training diverges, and says why."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from sparsefm import _core
from sparsefm.data.csr import as_scipy
from sparsefm.data.dataset import Dataset, spread
from sparsefm.data.mapped import pieces
from sparsefm.data.plan import Plan
from sparsefm.errors import DivergenceError
from sparsefm.losses import Loss
from sparsefm.training.learner import Learner

Array = npt.NDArray[Any]

HOPELESS = 1000.0  # times the loss of scores that are all zero
LARGE_RATE = 0.1  # up to this learning rate, what a step may cause is no divergence
OUTLYING = 100.0  # times the median scale of the columns
SAMPLE_SIZE = 1024  # rows that the loss at the start and at the end is computed on


class DivergenceWatch:
    """Raises `DivergenceError` when a loss is not finite, or hopelessly large.

    The limit is a thousand times the mean loss of scores that are all zero, or a thousand times the
    initial loss if that is larger. If the initial parameters are random, the initial loss counts as
    at most 1: that is what they give on data of unit scale.

    Parameters
    ----------
    learner : Learner
        At the start of training.
    dataset : Dataset
    plan : Plan
        Plan of the dataset; the loss at the start and at the end is that of a sample of its rows.
    random_start : bool
        Whether the initial parameters are random.
    """

    def __init__(
        self, learner: Learner, dataset: Dataset, plan: Plan, *, random_start: bool
    ) -> None:
        self._learner, self._dataset = learner, dataset
        rows = plan.rows[spread(len(plan.rows), SAMPLE_SIZE)]
        self._sample = replace(dataset, rows=rows).take(np.arange(len(rows)))
        self._limits = [
            self._limit_of(output, random_start) for output in range(len(learner.states))
        ]

    def _limit_of(self, output: int, random_start: bool) -> tuple[float, float]:
        """Return the limits of the loss of all rows and of the sample."""
        loss, sample = self._learner.loss, self._sample
        start = self._sample_loss(output)
        start = min(start, 1.0) if random_start else start
        zeros = []
        for part in (self._dataset, sample):
            zeros.append(_loss_at_zero(loss, part, output, self._learner.n_scores))
        rate = self._learner.hyperparameters.solver.learning_rate
        least = min(rate, LARGE_RATE) ** 2  # what a step may cause
        limits = HOPELESS * max(zeros[0], start, least), HOPELESS * max(*zeros, start, least)
        if not math.isfinite(limits[1]):
            target = self._dataset.targets[output]
            raise ValueError(
                f"y holds values up to {np.abs(target).max():.3g}, or the initial scores are that "
                f"large: in {target.dtype} their loss overflows; scale y, or use dtype='float64'"
            )
        return limits

    def _sample_loss(self, output: int) -> float:
        """Return the mean loss of the sample, NaN if a score is not finite."""
        sample, target = self._sample, self._sample.targets[output]
        scores = self._learner.states[output].scores(sample.X)
        if not np.isfinite(scores).all():
            return math.nan
        return sample.mean(self._learner.loss.values(target, scores))

    def check_epoch(self, epoch: int, losses: Sequence[float]) -> None:
        """Check the mean training loss of each output in an epoch."""
        for loss, (limit, _) in zip(losses, self._limits, strict=True):
            self._check(epoch, loss, limit)

    def check_validation(self, epoch: int, loss: float, validation: Dataset, target: Array) -> None:
        """Check a validation loss, given that the training loss is finite."""
        if math.isfinite(loss):
            return
        scales = column_scales(validation.X)
        column = int(np.argmax(scales))
        raise ValueError(
            f"the validation loss of epoch {epoch} is not finite: X_val holds values up to "
            f"{scales[column]:.3g} (column {column}), y_val up to "
            f"{np.abs(target).max():.3g}; scale them as the training data"
        )

    def check_end(self, epoch: int) -> None:
        """Check the final parameters: the last step comes after the last training loss."""
        moves_all = self._learner.hyperparameters.solver._moves_all
        features = None if moves_all else self._dataset.used_features
        for output, state in enumerate(self._learner.states):
            if not state.is_finite(features):
                raise self.error(epoch, "is no longer finite, or its gradients")
            self._check(epoch, self._sample_loss(output), self._limits[output][1])

    def _check(self, epoch: int, loss: float, limit: float) -> None:
        if not math.isfinite(loss):
            raise self.error(epoch, "is no longer finite")
        if loss > limit > 0:
            raise self.error(epoch, f"grew to {loss:.3g}")

    def error(self, epoch: int, what: str) -> DivergenceError:
        """Return the error, with the likely cause and the remedy."""
        message = f"training diverged in epoch {epoch}: the loss {what}. "
        scales = column_scales(self._dataset.X)
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
        rate = self._learner.hyperparameters.solver.learning_rate
        return DivergenceError(
            f"{message}The learning rate of {rate:g} is likely too large: try {rate / 10:g}"
        )


def _loss_at_zero(loss: Loss, dataset: Dataset, output: int, n_scores: int) -> float:
    """Return the mean loss of scores that are all zero; some rows at a time."""
    total = 0.0
    for rows in dataset.row_numbers():
        values = loss.values_at_zero(dataset.targets[output][rows], n_scores).astype(np.float64)
        total += float(values.sum() if dataset.weights is None else values @ dataset.weights[rows])
    return total / dataset.total_weight


def column_scales(X: _core.Csr) -> Array:
    """Return the largest absolute value in each column, shape (d,); at least one is not 0."""
    if X.values is None or X.all_ones or X.n_nonzeros == 0:
        return np.ones(X.n_features)
    scales = np.zeros(X.n_features)
    for part in pieces(X):
        values = np.abs(as_scipy(part).data)
        matrix = sp.csr_matrix((values, part.indices, part.indptr), (part.n_rows, X.n_features))
        np.maximum(scales, matrix.max(axis=0).toarray().ravel(), out=scales)
    return scales
