"""Metrics on validation rows, computed from scores."""

from typing import Any

import numpy as np
import numpy.typing as npt

from sparsefm.losses import Loss

Array = npt.NDArray[Any]
Metrics = dict[str, float]


def metrics_of(loss: Loss, targets: Array, scores: Array, weights: Array | None) -> Metrics:
    """Return the metrics of a model with one output; they depend on the loss's task.

    Parameters
    ----------
    loss : Loss
    targets : array of shape (n,)
        Labels 0 and 1 for classification.
    scores : array of shape (n,)
    weights : array of shape (n,) or None

    Returns
    -------
    dict
        Regression: ``rmse``, in units of the target. Binary: ``log_loss`` (logistic loss only),
        ``accuracy`` of the sign of the score, and ``auc``, which is NaN if there is only one class.
    """
    if loss.task == "regression":
        errors = targets.astype(np.float64) - scores
        return {"rmse": float(np.sqrt(np.average(errors**2, weights=weights)))}
    metrics = {}
    if loss.name == "logistic":
        losses = loss.values(targets.astype(np.float64), scores.astype(np.float64))
        metrics["log_loss"] = float(np.average(losses, weights=weights))
    metrics["accuracy"] = float(np.average((scores >= 0) == (targets > 0), weights=weights))
    metrics["auc"] = _auc(targets, scores, weights)
    return metrics


def class_metrics(loss: Loss, codes: Array, scores: Array, weights: Array | None) -> Metrics:
    """Return the metrics of a model with one output for each of more than two classes.

    Parameters
    ----------
    loss : Loss
    codes : array of int, shape (n,)
        Class of each row.
    scores : array of shape (n, n_classes)
    weights : array of shape (n,) or None
    """
    metrics = {}
    if loss.name == "logistic":
        logs = log_probabilities(scores)[np.arange(len(codes)), codes]
        metrics["log_loss"] = float(-np.average(logs, weights=weights))
    hits = np.argmax(scores, axis=1) == codes
    return metrics | {"accuracy": float(np.average(hits, weights=weights))}


def log_probabilities(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the logarithms of the probabilities of the classes, shape (n, n_classes).

    Parameters
    ----------
    scores : array of shape (n, n_outputs)
        With two classes one column, the score of the second class. With more classes one column for
        each class against the rest; their probabilities are divided by their sum.
    """
    if scores.shape[1] == 1:
        return -np.logaddexp(0, np.hstack([scores, -scores]))
    logs = -np.logaddexp(0, -scores)
    return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))


def _auc(targets: Array, scores: Array, weights: Array | None) -> float:
    from sklearn.metrics import roc_auc_score  # half a second to import

    if targets.min() == targets.max() or not np.isfinite(scores).all():
        return float("nan")
    return float(roc_auc_score(targets, scores, sample_weight=weights))
