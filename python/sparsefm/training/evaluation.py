"""The validation loss and metrics of a model in training."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.training.learner import Learner
from sparsefm.training.metrics import Metrics

Scores = npt.NDArray[np.float64]


def evaluate(
    learner: Learner,
    validation: Dataset,
    threads: int,
    metrics: Callable[[Scores], Metrics],
) -> tuple[list[float], Metrics]:
    """Return the mean loss of each output over the validation rows, and metrics.

    Parameters
    ----------
    learner : Learner
    validation : Dataset
    threads : int
    metrics : callable
        Returns metrics of scores, shape (n, outputs).
    """
    scores = learner.scores(validation.X, threads)
    losses = [
        validation.mean(learner.loss.values(target, column.astype(target.dtype)))
        for target, column in zip(validation.targets, scores.T, strict=True)
    ]
    return losses, metrics(scores)
