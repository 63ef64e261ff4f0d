"""The validation loss and metrics of a model in training."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sparsefm.data.dataset import Dataset
from sparsefm.losses import Loss
from sparsefm.training.metrics import Metrics

Scores = npt.NDArray[np.float64]


def evaluate(
    scores: Scores, loss: Loss, validation: Dataset, metrics: Callable[[Scores], Metrics]
) -> tuple[list[float], Metrics]:
    """Return the mean loss of each output over the validation rows, and metrics.

    Parameters
    ----------
    scores : array of shape (n, outputs), or (n, n_classes) for ordered classes
    loss : Loss
    validation : Dataset
    metrics : callable
        Returns metrics of scores.
    """
    losses = [
        validation.mean(loss.values(target, column.astype(target.dtype)))
        for target, column in zip(validation.targets, loss.of_outputs(scores), strict=True)
    ]
    return losses, metrics(scores)
