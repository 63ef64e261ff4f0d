"""What validation data say of a model's scores."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.losses import Loss


def evaluate(
    loss: Loss, targets: npt.NDArray[Any], scores: npt.NDArray[Any]
) -> tuple[float, dict[str, float]]:
    """Return the mean loss and the metrics of the loss's task.

    Parameters
    ----------
    loss : Loss
    targets : array of shape (n,)
        Labels 0 and 1 for classification.
    scores : array of shape (n,)

    Returns
    -------
    loss : float
    metrics : dict
        Regression: ``rmse``, in units of the target. Binary: ``log_loss`` (logistic loss only),
        ``accuracy`` of the sign of the score, and ``auc``, NaN if there is only one class.
    """
    mean = float(np.mean(loss.values(targets, scores), dtype=np.float64))
    if loss.task == "regression":
        return mean, {"rmse": float(np.sqrt(2 * mean))}
    metrics = {"log_loss": mean} if loss.name == "logistic" else {}
    metrics["accuracy"] = float(np.mean((scores >= 0) == (targets > 0)))
    metrics["auc"] = _auc(targets, scores)
    return mean, metrics


def _auc(targets: npt.NDArray[Any], scores: npt.NDArray[Any]) -> float:
    from sklearn.metrics import roc_auc_score  # half a second to import

    if targets.min() == targets.max() or not np.isfinite(scores).all():
        return float("nan")
    return float(roc_auc_score(targets, scores))
