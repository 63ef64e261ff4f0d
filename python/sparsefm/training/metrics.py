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
        Labels 0 and 1 for two classes, numbers from 0 for ordered ones.
    scores : array of shape (n,), or (n, n_classes) for ordered classes
    weights : array of shape (n,) or None

    Returns
    -------
    dict
        Regression: ``rmse``, in units of the target. Binary: ``log_loss`` (logistic loss only),
        ``accuracy`` of the sign of the score, and ``auc``, which is NaN if there is only one class.
        Ordered classes: see `class_metrics`.
    """
    if loss.task == "ordinal":
        return class_metrics(loss, targets.astype(np.intp), scores, weights)
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
    """Return the metrics of a model with scores of each class.

    They are ``log_loss`` (if there are probabilities), ``accuracy``, and for ordered classes
    ``class_error``, the mean absolute error of their numbers.

    Parameters
    ----------
    loss : Loss
    codes : array of int, shape (n,)
        Class of each row.
    scores : array of shape (n, n_classes)
    weights : array of shape (n,) or None
    """
    metrics = {}
    if loss.has_probabilities:
        logs = loss.log_probabilities(scores)[np.arange(len(codes)), codes]
        metrics["log_loss"] = float(-np.average(logs, weights=weights))
    errors = np.abs(np.argmax(scores, axis=1) - codes)
    metrics["accuracy"] = float(np.average(errors == 0, weights=weights))
    if loss.task == "ordinal":
        metrics["class_error"] = float(np.average(errors, weights=weights))
    return metrics


def _auc(targets: Array, scores: Array, weights: Array | None) -> float:
    """Return the share of pairs of a positive and a negative row whose scores are in order.

    A tie is half in order. That of scikit-learn counts distinct values in C++ (see
    `distinct_values`), and takes half a second to import.
    """
    if not np.isfinite(scores).all():
        return float("nan")
    order = np.argsort(scores, kind="stable")
    scores, positive = scores[order], targets[order] > 0
    mass = np.ones(len(scores)) if weights is None else weights[order].astype(np.float64)
    begins = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
    positives = np.add.reduceat(mass * positive, begins)
    negatives = np.add.reduceat(mass * ~positive, begins)
    n_pairs = positives.sum() * negatives.sum()
    if n_pairs == 0:
        return float("nan")
    below = np.cumsum(negatives) - negatives / 2
    return float(np.sum(positives * below) / n_pairs)
